"""Inline Markdown of other people, written again so that none of it does more than it says.

What comes out is Markdown for a reader without HTML that knows math and roles: text is escaped, HTML is
reduced to its words, links go nowhere but to the web and to mail, and a role of ours stays text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

import nh3
from markdown_it.token import Token

from proofdeck.foreign.model import Aside, Passage

SPECIAL = re.compile(r"[\\`*_\[\]<>$|~{]|&(?=[#\w])")
LINE_START = re.compile(r"(?m)^([ \t]*)(#{1,6}(?=\s|$)|[-+](?=\s|$)|=+[ \t]*$|-{2,}|:(?=\s))")
LINE_NUMBER = re.compile(r"(?m)^([ \t]*[0-9]{1,9})([.)])(?=\s|$)")
EMBED = re.compile(r"!\[\[([^\[\]\n]{1,300})\]\]")
WIKI = re.compile(r"\[\[([^\[\]|\n]{1,300})(?:\|([^\[\]\n]{1,300}))?\]\]")
HIGHLIGHT = re.compile(r"==(?=\S)([^=\n]{1,1000})(?<=\S)==")
BLOCK_ID = re.compile(r"(?:^|(?<= ))\^[A-Za-z0-9-]{1,40}$")
COMMENT = re.compile(r"%%([^%]{0,5000})%%")
TAG_NAME = re.compile(r"<(?=/?([A-Za-z][\w-]{0,40}))")
BREAKING = re.compile(
    r"</?(?:br|p|div|li|ul|ol|tr|td|th|table|h[1-6]|hr|section|article)\b[^<>]{0,2000}>", re.I
)
SAFE_SCHEMES = ("http://", "https://", "mailto:")

KNOWN_TAGS = frozenset(
    """
        a abbr article aside audio b big blockquote body br button canvas caption center cite code col
        colgroup dd del details dfn div dl dt em embed fieldset figcaption figure font footer form h1 h2 h3
        h4 h5 h6 head header hr html i iframe img input ins kbd label legend li link main mark math meta nav
        noscript object ol option p param picture pre q s samp script section select small source span
        strike strong style sub summary sup svg table tbody td template textarea tfoot th thead title tr
        track tt u ul var video wbr
    """.split()
)


@dataclass(slots=True)
class Beside:
    """What a text holds beside its words."""

    asides: list[Aside] = field(default_factory=list)
    pictures: list[Passage] = field(default_factory=list)
    see: list[str] = field(default_factory=list)

    def leave(self, text: str, line: int, why: str) -> None:
        if text := text.strip():
            self.asides.append(Aside(text, line, why))


def escape(text: str) -> str:
    """Escape what Markdown would read in the middle of a line."""
    return SPECIAL.sub(r"\\\g<0>", text)


def protect(text: str) -> str:
    """Escape what would begin a block at the beginning of a line."""
    return LINE_NUMBER.sub(r"\1\\\2", LINE_START.sub(r"\1\\\2", text))


def words_of(source: str) -> str:
    """Return the words of a piece of HTML; what only looks like a tag stays."""

    def known(found: re.Match[str]) -> str:
        return "<" if found[1].lower() in KNOWN_TAGS else "&lt;"

    cleaned = nh3.clean(TAG_NAME.sub(known, BREAKING.sub(" ", source)), tags=set(), attributes={})
    return html.unescape(cleaned)


def local_path(source: str) -> str:
    """Return a picture's path beside the document, or nothing where it lies elsewhere."""
    path = unquote(source).strip()
    if not path or re.match(r"[A-Za-z][\w+.-]*:|[/\\#]", path) or "\\" in path or "\0" in path:
        return ""
    parts = path.partition("?")[0].split("/")
    return "" if ".." in parts else "/".join(part for part in parts if part not in ("", "."))


def plain(tokens: Sequence[Token] | None) -> str:
    """Return the words of inline tokens, without any markup."""
    out = []
    for token in tokens or ():
        if token.type in ("softbreak", "hardbreak"):
            out.append(" ")
        elif token.type.startswith("math_inline"):
            out.append(f"${token.content}$")
        elif token.type == "html_inline":
            out.append(words_of(token.content))
        elif token.type == "image":
            out.append(plain(token.children))
        else:
            out.append(token.content)
    text = WIKI.sub(lambda found: found[2] or found[1], "".join(out))
    return re.sub(r"\s+", " ", HIGHLIGHT.sub(r"\1", text)).strip()


def write(tokens: Sequence[Token] | None, line: int, beside: Beside) -> str:
    """Return inline tokens as safe Markdown, a line break of the source being one."""
    out: list[str] = []
    closers: list[str] = []
    for token in tokens or ():
        match token.type:
            case "text" | "text_special":
                out.append(_text(token.content, line, beside))
            case "softbreak":
                out.append("\n")
            case "hardbreak":
                out.append("\\\n")
            case "code_inline":
                out.append(code(token.content))
            case "math_inline":
                out.append(f"${token.content}$")
            case "math_inline_double":
                out.append(f"$${token.content}$$")
            case "strong_open" | "strong_close":
                out.append("**")
            case "em_open" | "em_close":
                out.append("*")
            case "link_open":
                closers.append(_link_end(str(token.attrs.get("href", "")), line, beside))
                out.append("[" if closers[-1] else "")
            case "link_close":
                out.append(closers.pop() if closers else "")
            case "image":
                out.append(_image(token, line, beside))
            case "html_inline":
                out.append(_html(token.content, line, beside))
            case _:
                out.append(escape(token.content))
    return protect("".join(out).strip())


def code(text: str) -> str:
    """Return a code span, fenced by more backticks than it holds in a row."""
    text = re.sub(r"\s", " ", text)
    if not text.strip():
        return ""
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _text(text: str, line: int, beside: Beside) -> str:
    def embed(found: re.Match[str]) -> str:
        beside.leave(found[0], line, "embed")
        return ""

    def comment(found: re.Match[str]) -> str:
        beside.leave(found[1], line, "comment")
        return ""

    def wiki(found: re.Match[str]) -> str:
        page = found[1].partition("#")[0].strip()
        beside.see += [page] if page else []
        return found[2] or found[1]

    if "[[" in text:
        text = WIKI.sub(wiki, EMBED.sub(embed, text))
    if "%%" in text:
        text = COMMENT.sub(comment, text)
    if "==" in text:
        text = HIGHLIGHT.sub(r"\1", text)
    if "^" in text and (found := BLOCK_ID.search(text)):
        beside.leave(found[0], line, "navigation")
        text = text[: found.start()].rstrip()
    return escape(text)


def _link_end(target: str, line: int, beside: Beside) -> str:
    if target.lower().startswith(SAFE_SCHEMES) and not re.search(r"[<>\s]", target):
        return f"](<{target.replace('&', '&amp;')}>)"
    beside.leave(target, line, "link")
    return ""


def _image(token: Token, line: int, beside: Beside) -> str:
    source, alt = str(token.attrs.get("src", "")), plain(token.children) or token.content
    if path := local_path(source):
        beside.pictures.append(Passage(alt, "picture", line, language=path))
        return ""
    beside.leave(source, line, "remote picture")
    return escape(alt)


def _html(source: str, line: int, beside: Beside) -> str:
    if source.startswith("<!--"):
        beside.leave(source[4:].removesuffix("-->"), line, "comment")
        return ""
    words = words_of(source)
    if not words.strip() and re.search(r"\s(?:src|href|alt|title)\s*=", source, re.I):
        beside.leave(source, line, "html")
    return escape(words)
