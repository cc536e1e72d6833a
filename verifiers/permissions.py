"""Permissions of tools: rules and their order, patterns, shell commands, paths, signed capabilities."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from itertools import compress, product

from proofdeck import verifier
from verifiers import arguments

LAYERS = ("hook", "deny", "ask", "allow", "mode")
STRICTEST_FIRST = ("deny", "ask", "allow")
MODES = ("default", "plan", "bypass", "viewer")
HOWS = ("glob", "prefix", "exact", "substring", "regex")


def glob_regex(pattern: str) -> str:
    """Regular expression of a glob: `*` and `?` stay within a folder, `**` crosses folders."""
    parts = {"**/": r"(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.sub(r"\*\*/|\*\*|\*|\?|[^*?]+", lambda found: parts.get(found[0], re.escape(found[0])), pattern)


def fits(pattern: str, text: str, how: str) -> bool:
    """Whether a text matches a pattern; a prefix ends in `:*` and ends where a word ends."""
    if how == "glob":
        return re.fullmatch(glob_regex(pattern), text, re.S) is not None
    if how == "regex":
        return re.fullmatch(pattern, text, re.S) is not None
    if how == "substring":
        return pattern in text
    if how == "prefix" and pattern.endswith(":*"):
        return text == pattern[:-2] or text.startswith(pattern[:-2] + " ")
    return text == pattern


@verifier
def matches(pattern: str, text: str, how: str = "glob") -> int:
    """1 if a pattern matches a whole text (or a part of it, for `substring`), else 0.

    Unit: 1
    Source: definition
    """
    arguments.one_of("way to match", how, HOWS)
    return int(fits(pattern, text, how))


def rule_parts(rule: str) -> tuple[str, str, str]:
    """Split `deny Edit(src/**)` into effect, tool and pattern; without brackets every input is meant."""
    found = re.fullmatch(r"(deny|ask|allow) ([\w*-]+)(?:\((.*)\))?", rule, re.S)
    if found is None:
        raise ValueError(f"a rule reads `deny Tool(pattern)`, not {rule!r}")
    return found[1], found[2], found[3] if found[3] is not None else "**"


def layer_says(layer: str, matched: set[str], hook: str, mode: str, writes: bool) -> str | None:
    """What one layer decides, or None where it leaves the decision to the next."""
    if layer in ("deny", "ask", "allow"):
        return layer if layer in matched else None
    if layer == "hook":
        return None if hook == "pass" else hook
    if mode == "viewer" or (mode == "plan" and writes):
        return "deny"
    return "allow" if mode == "bypass" else None


def decision(
    matched: set[str], hook: str, mode: str, writes: bool, order: Sequence[str] | None = None
) -> str:
    """Take the strictest word of all layers, or the first one in an order; without any, ask the user."""
    layers = LAYERS if order is None else order
    said = [layer_says(layer, matched, hook, mode, writes) for layer in layers]
    if order is not None:
        return next((word for word in said if word), "ask")
    return next((word for word in STRICTEST_FIRST if word in said), "ask")


@verifier
def decide(
    tool: str, target: str, rules: Sequence[str] = (), hook: str = "pass", mode: str = "default",
    writes: bool = False, order: Sequence[str] | None = None, how: str = "glob",
) -> dict[str, int]:  # fmt: skip
    """What becomes of a tool call under rules, a hook and a mode: 1 for the outcome, 0 for the others.

    Rules read `deny Tool(pattern)`, `ask Tool` or `allow Tool`. The strictest layer wins; with an `order`
    of layers, the first one that decides.

    Unit: allow=1, ask=1, deny=1
    Source: definition
    """
    arguments.one_of("hook", hook, ("pass", *STRICTEST_FIRST))
    arguments.one_of("mode", mode, MODES)
    arguments.one_of("way to match", how, HOWS)
    for layer in order or ():
        arguments.one_of("layer", layer, LAYERS)
    parts = [rule_parts(rule) for rule in rules]
    matched = {
        effect for effect, name, pattern in parts if fits(name, tool, "glob") and fits(pattern, target, how)
    }
    found = decision(matched, hook, mode, writes, order)
    return {word: int(found == word) for word in STRICTEST_FIRST}


def confirm_decisions(decide: Callable[[set[str], str, str, bool], str]) -> int:
    """Check that nothing which allows overrules what refuses or asks; return how many cases there are."""
    cases = 0
    for rules in product((False, True), repeat=3):
        matched = set(compress(STRICTEST_FIRST, rules))
        for hook, mode, writes in product(("pass", *STRICTEST_FIRST), MODES, (False, True)):
            cases += 1
            found = decide(matched, hook, mode, writes)
            case = f"rules {sorted(matched)}, hook {hook}, mode {mode}, writes {writes}: {found}"
            assert found == "deny" or "deny" not in {*matched, hook}, f"{case} overrules a refusal"
            assert found == "deny" or not (mode == "viewer" or (mode == "plan" and writes)), (
                f"{case} in the mode"
            )
            assert found != "allow" or "ask" not in {*matched, hook}, f"{case} overrules a question"
            assert found != "allow" or "allow" in {*matched, hook} or mode == "bypass", f"{case} by nobody"
    return cases


@verifier
def strictest_wins() -> dict[str, int]:
    """Check over all cases that no rule, mode or hook which allows overrules one that refuses or asks.

    Unit: check
    Source: definition
    """
    return {"cases": confirm_decisions(decision)}


@verifier
def executed(decisions: Sequence[str], test: str = "equal") -> int:
    """Calls that run when a guard compares its decision with `allow`, or only tests it for truth.

    Every decision is a text that is not empty, hence true: a test for truth stops nothing.

    Unit: 1
    Source: definition
    """
    arguments.one_of("test", test, ("equal", "truth"))
    for word in decisions:
        arguments.one_of("decision", word, ("allow", "ask", "deny"))
    return sum(bool(word) if test == "truth" else word == "allow" for word in decisions)


def simple_commands(text: str) -> list[str] | None:
    """Simple commands of a shell text; None where a part is substituted, redirected, noted or unfinished."""
    commands, quote, escaped = [""], "", False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif char in "$`" and quote != "'":
            return None
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "<>()" or (char == "#" and not commands[-1][-1:].strip()):
            return None  # a comment hides quotes from the shell that would swallow the next line here
        elif char in ";&|\n":
            commands.append("")
            continue
        commands[-1] += char
    return None if quote or escaped else [command.strip(" \t") for command in commands]


def safe_command(text: str, allowed: Sequence[str]) -> bool:
    """Whether every simple command of a shell text begins with an allowed one."""
    commands = simple_commands(text)
    if commands is None or not any(commands):
        return False
    return all(any(fits(f"{prefix}:*", each, "prefix") for prefix in allowed) for each in commands if each)


@verifier
def command_allowed(text: str, allowed: Sequence[str]) -> int:
    """1 if each simple command of a shell text begins with an allowed command and nothing is hidden in it.

    Chains (`;`, `&&`, `|`, line ends) are judged part by part; substitutions, redirections,
    subshells and comments are refused.

    Unit: 1
    Source: definition
    """
    return int(safe_command(text, allowed))


JOINTS = (" ; ", "&&", " || ", "|", " & ", "\n", " $(", " `", " <(", " > ", ' "$(', '" ; ')


def confirm_chains(judge: Callable[[str, Sequence[str]], bool], good: str, bad: str) -> None:
    """Check that an allowed command passes alone and with arguments, and never with another behind it."""
    for text in (good, f"{good} --all", f"{good} '; {bad}'", f'{good} "&& {bad}"', f"{good} ; {good}"):
        assert judge(text, [good]), f"{text!r} is refused"
    noted = f"{good} # '\n{bad} # '"
    for text in (bad, f"{good}x", "", f"{bad} {good}", noted, *(f"{good}{joint}{bad}" for joint in JOINTS)):
        assert not judge(text, [good]), f"{text!r} is allowed"


@verifier
def chained_commands_are_refused(good: str = "npm test", bad: str = "rm -rf /") -> dict[str, str]:
    """Check that an allowed command is no way in for another one chained to it, quoted or substituted.

    Unit: check
    Source: definition
    """
    confirm_chains(safe_command, good, bad)
    return {"good": good, "bad": bad}


@verifier
def inside(root: str, path: str) -> int:
    """1 if a path, taken relative to a root folder, stays inside it by its text; links are not followed.

    Unit: 1
    Source: definition
    """
    if not root.startswith("/"):
        raise ValueError(f"a root is absolute, not {root!r}")
    home = "/" + posixpath.normpath(root).lstrip("/")
    whole = posixpath.normpath(posixpath.join(home, path))
    return int(posixpath.commonpath([home, whole]) == home)


@verifier
def reaches(start: str, goal: str, edges: Sequence[Sequence[str]]) -> int:
    """1 if a capability can be reached from another through what each lets one do, else 0.

    Unit: 1
    Source: definition
    """
    found, waiting = {start}, [start]
    while waiting:
        at = waiting.pop()
        fresh = {to for origin, to in edges if origin == at} - found
        found |= fresh
        waiting += fresh
    return int(goal in found)
