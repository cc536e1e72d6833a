"""Markdown to tokens and tokens to HTML, with markdown-it-py and mdit-py-plugins.

The HTML is meant for a field of an Anki note: math in MathJax delimiters, raw HTML shown as text, and
nothing in the author's text that Anki would read as a command (`{{…}}`, `[sound:…]`, `[latex]`, …).
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping, Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from mdit_py_plugins.myst_role import myst_role_plugin

Env = MutableMapping[str, Any]

HOLE = re.compile("\x00(\\d+)\x00")
"""Where a claim goes in rendered HTML. Markdown turns NUL into U+FFFD, so no text can hold one."""

ATTRIBUTES = re.compile(r"[ \t]*\{([^{}`]*)\}[ \t]*$")
PART = re.compile(r"(L\d+|[Tt]rap|TRAP|l\d+)[ \t]*:[ \t]*")


@cache
def reader() -> MarkdownIt:
    """Return the one Markdown reader; it is built once a process."""
    md = MarkdownIt("commonmark", {"html": False}).enable("table").disable("lheading")
    # ampersand entities stay as in CommonMark; `$5 and $6` is money, not math
    md.use(front_matter_plugin)
    md.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    md.use(myst_role_plugin)
    rules = {rule.name: rule.fn for rule in md.inline.ruler.__rules__}
    md.inline.ruler.at("myst_role", _with_position(rules["myst_role"]))
    md.inline.ruler.at("math_inline", _at_the_beginning(rules["math_inline"]))
    md.core.ruler.before("inline", "heading_parts", _heading_parts)
    for name, render in RULES.items():
        md.add_render_rule(name, render)
    return md


Rule = Callable[[StateInline, bool], bool]


def _at_the_beginning(rule: Rule) -> Rule:
    """Let math begin a paragraph that ends in a digit: the plugin takes that digit for the one before the dollar."""

    def begun(state: StateInline, silent: bool) -> bool:
        if state.pos or not state.src[-1:].isdigit():
            return rule(state, silent)
        whole = state.src
        state.src = f"{whole} "
        try:
            return rule(state, silent)
        finally:
            state.src = whole

    return begun


def _with_position(rule: Rule) -> Rule:
    """Let a role token remember where in its paragraph it stands."""

    def positioned(state: StateInline, silent: bool) -> bool:
        # cheap refusal first: the plugin copies the rest of the text at every position it is asked about
        if state.src[state.pos] != "{":
            return False
        start = state.pos
        found = rule(state, silent)
        if found and not silent:
            state.tokens[-1].meta["offset"] = start
        return found

    return positioned


def _heading_parts(state: StateCore) -> None:
    """Take `{#id …}` off an H1 and `L1:` off an H2 before their text is read as Markdown."""
    for index, token in enumerate(state.tokens):
        if token.type != "heading_open" or token.level:
            continue
        inline = state.tokens[index + 1]
        if token.tag == "h1" and (found := ATTRIBUTES.search(inline.content)):
            token.meta = {"attributes": found[1], "offset": found.start()}
            inline.content = inline.content[: found.start()]
        elif token.tag == "h2" and (found := PART.match(inline.content)):
            token.meta = {"part": found[1], "cut": found.end()}
            inline.content = inline.content[found.end() :]


_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_HTML = re.compile('[&<>"]')
_ANKI = re.compile(r"\{(?=\{)|\}(?=\})|\[(?=sound:|anki:|/?latex\]|/?\${1,2}\])", re.I)
_MATHJAX = re.compile(r"\\(?=[()\[\]]|&#91;)")


def escape(text: str) -> str:
    """Escape text for HTML, and for what Anki reads in a field's source."""
    if _HTML.search(text):
        text = _HTML.sub(lambda match: _ESCAPES[match[0]], text)
    if "{" in text or "}" in text or "[" in text:
        text = _ANKI.sub(lambda match: f"&#{ord(match[0])};", text)
    return text


def escape_prose(text: str) -> str:
    """Escape text outside code and math: a typed `\\(` must not begin a formula."""
    text = escape(text)
    # MathJax reads across entities, comments and <wbr>, but not across an element
    return _MATHJAX.sub("<span>\\\\</span>", text) if "\\" in text else text


def escape_plain(text: str) -> str:
    """Escape text where no element may stand: an attribute, or the field that sorts."""
    return escape(text).replace("\\", "&#92;")


def inline_math(latex: str) -> str:
    return rf"\({escape(latex.strip())}\)"


def display_math(latex: str) -> str:
    return rf"\[{escape(latex.strip())}\]"


def highlight(code: str, language: str) -> str:
    """Return a code block as HTML; classes only, since the note type's style knows light and dark."""
    body = escape(code)
    if language and not code.startswith("\ufeff"):  # which Pygments would drop
        from pygments import highlight as pygments_highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import get_lexer_by_name
        from pygments.util import ClassNotFound

        try:
            lexer = get_lexer_by_name(language, stripnl=False)
        except ClassNotFound:
            pass
        else:
            # escape what Anki would read, not what Pygments escaped already
            body = _ANKI.sub(
                lambda match: f"&#{ord(match[0])};",
                pygments_highlight(code, lexer, HtmlFormatter(nowrap=True)),
            )
    return f'<pre class="code"><code>{body}</code></pre>\n'


Render = Callable[[RendererHTML, Sequence[Token], int, OptionsDict, Env], str]


def _text(_self: RendererHTML, tokens: Sequence[Token], index: int, _o: OptionsDict, _e: Env) -> str:
    return escape_prose(tokens[index].content)


def _code_inline(_self: RendererHTML, tokens: Sequence[Token], index: int, _o: OptionsDict, _e: Env) -> str:
    return f"<code>{escape(tokens[index].content)}</code>"


def _code(_self: RendererHTML, tokens: Sequence[Token], index: int, _o: OptionsDict, _e: Env) -> str:
    words = tokens[index].info.split()
    return highlight(tokens[index].content, words[0] if words else "")


def _math_inline(_self: RendererHTML, tokens: Sequence[Token], index: int, _o: OptionsDict, _e: Env) -> str:
    return inline_math(tokens[index].content)


def _math_display(_self: RendererHTML, tokens: Sequence[Token], index: int, _o: OptionsDict, _e: Env) -> str:
    return display_math(tokens[index].content)


def _math_block(_self: RendererHTML, tokens: Sequence[Token], index: int, _o: OptionsDict, _e: Env) -> str:
    return f"<p>{display_math(tokens[index].content)}</p>\n"


def _link(_self: RendererHTML, tokens: Sequence[Token], index: int, _o: OptionsDict, _e: Env) -> str:
    attributes = "".join(f' {name}="{escape(str(value))}"' for name, value in tokens[index].attrs.items())
    return f"<a{attributes}>"


def _hole(_self: RendererHTML, tokens: Sequence[Token], index: int, _o: OptionsDict, env: Env) -> str:
    """Leave a hole for the claim that the reader of roles put on the token."""
    claim = tokens[index].meta.get("claim")
    if claim is None:  # its role was wrong, and has been reported
        return ""
    env["claims"].append(claim)
    return f"\x00{len(env['claims']) - 1}\x00"


RULES: dict[str, Render] = {
    "text": _text,
    "code_inline": _code_inline,
    "code_block": _code,
    "fence": _code,
    "math_inline": _math_inline,
    "math_inline_double": _math_display,
    "math_block": _math_block,
    "myst_role": _hole,
    "image": _hole,
    "link_open": _link,
}
