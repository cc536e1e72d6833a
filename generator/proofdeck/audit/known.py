"""Known quantities: statements that show no calculation, computed by the project's verifiers.

`verifiers/quantities.yaml` says how a quantity is recognised and which call computes it:

    - quantity: key/value cache of a named model
      about: KV[- ]cache                       what the sentence must speak of
      call: kv_cache.nbytes({model}, tokens={tokens}, dtype={dtype})
      unit: B                                  of the stated value: the only one of this unit in the sentence
      takes:
        model: {names: [llama-2-7b, mistral-7b]}              written with spaces, hyphens or neither
        tokens: {number: tokens|context}                      the one number beside such a word
        dtype: {words: {fp16: FP16|BF16, int8: INT8}, else: fp16}

A sentence in which anything is found twice is left alone. Beside these, a row of a claims table that says how
the wrong version is put (`heard:`) makes every such sentence wrong, or what its `verdict:` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from proofdeck.audit.judge import Computed, Stated, judge
from proofdeck.audit.model import Finding
from proofdeck.audit.tokens import Reading, Token
from proofdeck.errors import ContentError, Problem
from proofdeck.parse.expressions import ExpressionError, parse_operand

FILE = "verifiers/quantities.yaml"
NEAR = 3
"""Words between a number and the noun that says what it counts, at most."""


@dataclass(frozen=True, slots=True)
class Take:
    """How one argument of a call is found in a sentence."""

    names: tuple[tuple[str, re.Pattern[str]], ...] = ()
    number: re.Pattern[str] | None = None
    default: Any = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity that the project can compute."""

    name: str
    about: re.Pattern[str]
    call: str
    unit: str
    takes: dict[str, Take]


@dataclass(frozen=True, slots=True)
class Heard:
    """A popular error, and what is true instead."""

    pattern: re.Pattern[str]
    claim: str
    check: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A recognised statement that waits for its call's result."""

    finding: Finding
    call: str
    """As the lock writes it."""
    key: str | int | None
    stated: tuple[Reading, ...]
    digits: int


@dataclass
class Known:
    """What a project knows to recognise."""

    quantities: list[Quantity] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    @classmethod
    def of(cls, root: Path) -> Known:
        """Read a project's rules; raise ContentError naming every one that is wrong."""
        problems: list[Problem] = []
        known = cls(_read_quantities(root, problems), _read_heard(root))
        if problems:
            raise ContentError(problems)
        return known

    def popular_errors(self, text: str) -> Iterator[Finding]:
        """Yield the popular errors that a passage repeats."""
        for heard in self.heard:
            if match := heard.pattern.search(text):
                shown = " ".join(match[0].split())[:160]
                yield Finding(
                    shown, shown[:60], heard.claim, "wrong", "popular error", match.start(), check=heard.check
                )

    def recognise(self, text: str, tokens: Sequence[Token]) -> Iterator[Pending]:
        """Yield the known quantities whose value a sentence states."""
        for quantity in self.quantities:
            if quantity.about.search(text) and (found := _recognise(quantity, text, tokens)):
                yield found


def _recognise(quantity: Quantity, text: str, tokens: Sequence[Token]) -> Pending | None:
    used: set[int] = set()
    arguments: dict[str, str] = {}
    for name, take in quantity.takes.items():
        found = list(_found(take, text, tokens, used))
        if len(found) > 1 or (not found and not take.optional):
            return None
        arguments[name] = repr(found[0] if found else take.default)
    stated = [
        token for token in tokens
        if token.kind == "number" and token.start not in used and any(r.unit == quantity.unit for r in token.readings)
    ]  # fmt: skip
    if len(stated) != 1:
        return None
    token = stated[0]
    operand = parse_operand(quantity.call.format(**arguments))
    readings = tuple(reading for reading in token.readings if reading.unit == quantity.unit)
    shown = " ".join(text.split())[:160]
    finding = Finding(shown, token.text, "", "unknown", quantity.name, token.start, check=str(operand))
    return Pending(finding, str(operand.call), operand.key, readings, token.digits)


def _found(take: Take, text: str, tokens: Sequence[Token], used: set[int]) -> Iterator[Any]:
    taken: list[tuple[int, int]] = []
    for name, pattern in take.names:
        for match in pattern.finditer(text):
            if not any(begin < match.end() and match.start() < end for begin, end in taken):
                taken.append((match.start(), match.end()))
                yield name
                used.update(range(match.start(), match.end()))
                break
    if take.number:
        for index, token in enumerate(tokens):
            if (
                token.kind == "number"
                and token.start not in used
                and _beside(take.number, text, tokens, index)
            ):
                used.add(token.start)
                value = token.readings[-1].value if token.readings[-1].unit == "" else token.readings[0].value
                yield int(value) if value == int(value) else value


def _beside(noun: re.Pattern[str], text: str, tokens: Sequence[Token], index: int) -> bool:
    """Say whether a noun stands behind a number, or right before it with `of`, `=` or nothing between."""
    after = text[tokens[index].end : tokens[min(index + NEAR, len(tokens) - 1)].end]
    match = noun.match(after.lstrip(" -"))
    if match:
        return True
    before = text[tokens[max(0, index - 3)].start : tokens[index].start]
    return bool(re.search(rf"(?:{noun.pattern})\s*(?:of|=|is|:)?\s*~?$", before, noun.flags))


def judge_pending(pending: Pending, value: Any) -> Finding:
    """Return the finding of a recognised statement whose call gave `value`."""
    from dataclasses import replace

    if isinstance(value, dict):
        value = value.get(pending.key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return pending.finding
    computed = Computed(value, value * 0.98, value * 1.02, False)
    verdicts = []
    for reading in pending.stated:
        verdict = judge(Stated(reading.value, reading.step, pending.digits, True), computed)
        verdicts.append("imprecise" if verdict == "right" and not reading.usual else verdict)
    order = ("right", "imprecise", "wrong", "unknown")
    return replace(pending.finding, verdict=min(verdicts, key=order.index), computed=f"{value:,.6g}")


def _read_quantities(root: Path, problems: list[Problem]) -> list[Quantity]:
    path = root / FILE
    if not path.exists():
        return []
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(Problem(FILE, 0, 0, f"not YAML: {error}"))
        return []
    found = []
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], start=1):
        try:
            found.append(_quantity(row))
        except (
            KeyError,
            TypeError,
            AttributeError,
            ValueError,
            IndexError,
            re.error,
            ExpressionError,
        ) as error:
            problems.append(
                Problem(
                    FILE,
                    0,
                    0,
                    f"rule {number} cannot be read: {error}",
                    "see docs/importing.md for what a rule says",
                )
            )
    return found


def _quantity(row: dict[str, Any]) -> Quantity:
    takes = {}
    for name, how in row["takes"].items():
        names = [(each, _spelled(each)) for each in how.get("names", ())]
        names += [
            (word, re.compile(rf"\b(?:{pattern})\b", re.I)) for word, pattern in how.get("words", {}).items()
        ]
        names.sort(key=lambda pair: -len(pair[0]))
        number = re.compile(rf"(?:{how['number']})\b", re.I) if "number" in how else None
        takes[name] = Take(tuple(names), number, how.get("else"), "else" in how)
    call = row["call"]
    parse_operand(call.format(**dict.fromkeys(takes, "1")))
    return Quantity(row["quantity"], re.compile(row["about"], re.I), call, row.get("unit", ""), takes)


def _spelled(name: str) -> re.Pattern[str]:
    """Return a pattern for a name however its words are joined: `llama-2-7b` is Llama 2 7B and LLaMA-2-7B."""
    words = [re.escape(word) for word in re.split(r"[-_ ]", name)]
    return re.compile(r"(?<![\w.-])" + r"[\s_-]*".join(words) + r"(?![\w.])", re.I)


def _read_heard(root: Path) -> list[Heard]:
    found = []
    for path in sorted((root / "verifiers" / "claims").glob("*.yaml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if "heard:" not in text:
            continue
        try:
            rows = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError:
            continue  # `check` tells it
        for row in rows:
            patterns = row.get("heard", [])
            checks = row["check"] if isinstance(row["check"], list) else [row["check"]]
            for pattern in [patterns] if isinstance(patterns, str) else patterns:
                found.append(Heard(re.compile(pattern, re.I), row["claim"], checks[0]))
    return found
