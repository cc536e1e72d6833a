"""Known quantities: statements that show no calculation, computed by the project's verifiers.

`rules` reads how each is recognised. A sentence in which anything is found twice is left alone; where an
argument is not said or can be read in two ways, any of its values may make the statement right.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from proofdeck.audit.model import Finding
from proofdeck.audit.needles import Sieve
from proofdeck.audit.popular import Heard, popular_errors, read_heard
from proofdeck.audit.rules import Quantity, Take, read_quantities
from proofdeck.audit.tokens import Reading, Token, tokens
from proofdeck.errors import ContentError, Problem
from proofdeck.parse.expressions import ExpressionError, parse_operand
from proofdeck.units import Format, format_value

LOOKBACK = 4
"""Sentences in which an argument may stand before the one that states a value."""
COMBINATIONS = 16
MISREAD = 500.0
"""Factor from which on the words were misread, not the number wrong."""
COUNTS = {word: n for n, word in enumerate("one two three four five six seven eight nine ten".split(), 1)} | {
    "twice": 2, "dozen": 12, "hundred": 100,
}  # fmt: skip
_FACTORS = "*/^×·x÷"
_AT_LEAST = re.compile(r"(?:>|≥|\b(?:over|at least|more than|above|exceeds?|beyond))\s*[~$]?$", re.I)
_AT_MOST = re.compile(
    r"(?:<|≤|\b(?:under|below|less than|at most|up to|within|no more than|fits? in))\s*[~$]?$", re.I
)
_FIGURES = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Sentence:
    """A sentence, its tokens, and those that stand before it."""

    text: str
    cut: Sequence[Token]
    before: Sequence[str] = ()

    @cached_property
    def earlier(self) -> list[Sentence]:
        """The last sentences before this one, the nearest first."""
        return [Sentence(text, tokens(text)) for text in reversed(self.before[-LOOKBACK:])]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to compute a value: a call, one to divide by, and a factor."""

    call: str
    """As the lock writes it."""
    key: str | int | None
    over: str = ""
    over_key: str | int | None = None
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Value:
    """A stated value, or the ends of a range, in the unit of what computes it."""

    low: float
    high: float
    step: float
    usual: bool = True
    bound: str = ""
    """`least` for what is called more than a number, `most` for less."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A recognised statement that waits for what computes it."""

    finding: Finding
    ways: tuple[Way, ...]
    stated: tuple[Value, ...]
    tolerance: float
    sense: str = ""
    unit: str = ""

    @property
    def calls(self) -> set[str]:
        return {call for way in self.ways for call in (way.call, way.over) if call}


@dataclass
class Known:
    """What a project knows to recognise."""

    quantities: list[Quantity] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    @classmethod
    def of(cls, root: Path) -> Known:
        """Read a project's rules; raise ContentError naming every one that is wrong."""
        problems: list[Problem] = []
        known = cls(read_quantities(root, problems), read_heard(root))
        if problems:
            raise ContentError(problems)
        return known

    @cached_property
    def _heard(self) -> Sieve[Heard]:
        return Sieve(self.heard, [each.pattern.pattern for each in self.heard])

    @cached_property
    def _quantities(self) -> Sieve[Quantity]:
        return Sieve(self.quantities, [each.about.pattern for each in self.quantities])

    def popular_errors(self, text: str) -> Iterator[Finding]:
        """Yield the popular errors that a passage repeats."""
        return popular_errors(self._heard, text)

    def recognise(self, text: str, cut: Sequence[Token], before: Sequence[str] = ()) -> Iterator[Pending]:
        """Yield the known quantities whose value a sentence states."""
        sentence = Sentence(text, cut, before)
        for quantity in self._quantities.candidates(text.lower()):
            if (
                quantity.about.search(text)
                and not (quantity.unless and quantity.unless.search(text))
                and (found := _recognise(quantity, sentence))
            ):
                yield found


def _recognise(quantity: Quantity, sentence: Sentence) -> Pending | None:
    used: set[int] = set()
    arguments: list[dict[str, tuple[Any, ...]]] = []
    for name, take in quantity.takes.items():
        found = _argument(name, take, sentence, used)
        if found is None:
            return None
        arguments.append(found)
    stated = _stated(quantity, sentence, used)
    if stated is None:
        return None
    shown, start, values = stated
    ways = tuple(_ways(quantity, {name: value for each in arguments for name, value in each.items()}))
    if not ways:
        return None
    told = " ".join(sentence.text.split())[:160]
    finding = Finding(told, shown, "", "unknown", quantity.name, start, check=ways[0].call)
    return Pending(finding, ways, values, quantity.tolerance, quantity.sense, quantity.unit)


def _ways(quantity: Quantity, arguments: Mapping[str, tuple[Any, ...]]) -> Iterator[Way]:
    names = list(arguments)
    for chosen in itertools.islice(itertools.product(*arguments.values()), COMBINATIONS):
        filled = dict(zip(names, map(repr, chosen), strict=True))
        factor = float(filled[quantity.times]) if quantity.times else 1.0
        for call in quantity.calls:
            try:
                operand = parse_operand(call.format(**filled))
                over = parse_operand(quantity.over.format(**filled)) if quantity.over else None
            except ExpressionError:
                continue
            divisor = (str(over.call), over.key) if over else ("", None)
            yield Way(str(operand.call), operand.key, *divisor, factor)


def _argument(name: str, take: Take, sentence: Sentence, used: set[int]) -> dict[str, tuple[Any, ...]] | None:
    """Return the values of an argument, by the names that calls know them by; None where it is not clear."""
    found = _found(take, sentence, used)
    if not found and take.earlier:
        nearest = (_found(take, each, set()) for each in sentence.earlier)
        found = next((each for each in nearest if each), [])
    if not found and take.optional:
        return {name: take.default}
    if len(found) != take.many:
        return None
    if take.many > 1:
        return {f"{name}_{place}": values[""] for place, values in enumerate(found, 1)}
    return {key or name: values for key, values in found[0].items()}


def _found(take: Take, sentence: Sentence, used: set[int]) -> list[dict[str, tuple[Any, ...]]]:
    """Return what a sentence says of an argument, in the order of the text, the same once."""
    hits: dict[int, tuple[int, dict[str, tuple[Any, ...]]]] = {}
    for start, end, values in itertools.chain(_named(take, sentence.text), _matched(take, sentence.text)):
        hits[start] = (end, values)
    if take.number or (take.unit is not None and not take.match):
        for token in _by_noun(take, sentence, used):
            hits[token.start] = (token.end, {"": _readings(take, token)})
    found: list[dict[str, tuple[Any, ...]]] = []
    for start, (end, values) in sorted(hits.items(), key=lambda hit: hit[0]):
        used.update(range(start, end))
        if values not in found:
            found.append(values)
    return found


def _named(take: Take, text: str) -> Iterator[tuple[int, int, dict[str, tuple[Any, ...]]]]:
    taken: list[tuple[int, int]] = []
    for name, pattern in take.names:
        for match in pattern.finditer(text):
            if not any(begin < match.end() and match.start() < end for begin, end in taken):
                taken.append(match.span())
                yield match.start(), match.end(), {"": (name,)}


def _matched(take: Take, text: str) -> Iterator[tuple[int, int, dict[str, tuple[Any, ...]]]]:
    if take.match is None:
        return
    for match in take.match.finditer(text):
        groups = match.groupdict() or {"": next((each for each in match.groups() if each), None)}
        values = {name: _literals(each) for name, each in groups.items() if each}
        if len(values) == len(groups):
            number = next(each for each in range(1, len(match.groups()) + 1) if match[each])
            yield match.start(number), match.end(match.lastindex or number), values


def _literals(text: str) -> tuple[Any, ...]:
    """Return what a matched text can mean as an argument: numbers, or the text itself."""
    if text.lower() in COUNTS:
        return (COUNTS[text.lower()],)
    cut = tokens(text)
    if len(cut) == 1 and cut[0].kind == "number":
        return tuple(_whole(reading.value) for reading in cut[0].readings if reading.usual)
    return (text,)


def _by_noun(take: Take, sentence: Sentence, used: set[int]) -> list[Token]:
    """Return the numbers with the unit of an argument and its noun beside them, at best right behind them."""
    free = [
        token
        for token in sentence.cut
        if token.kind == "number"
        and used.isdisjoint(range(token.start, token.end))
        and _readings(take, token)
    ]
    noun = take.number
    if noun is None:
        return free
    behind = [token for token in free if noun.stands_behind(sentence.text, token.start, token.end)]
    return behind or [token for token in free if noun.stands_by(sentence.text, token.start, token.end)]


def _readings(take: Take, token: Token) -> tuple[Any, ...]:
    unit = take.unit or ""
    return tuple(_whole(each.value) for each in token.readings if each.unit == unit and each.usual)


def _whole(value: float) -> float | int:
    return int(value) if value == int(value) else float(f"{value:.12g}")


def _stated(
    quantity: Quantity, sentence: Sentence, used: set[int]
) -> tuple[str, int, tuple[Value, ...]] | None:
    """Return what a sentence says that a quantity is, where it stands, and what that can mean."""
    if quantity.equals is not None:
        return f"{quantity.equals:g}", 0, (Value(quantity.equals, quantity.equals, 0.0),)
    if quantity.words:
        said = {value: match for value, word in quantity.words if (match := word.search(sentence.text))}
        if len(said) != 1:
            return None
        value, match = next(iter(said.items()))
        return match[0], match.start(), (Value(value, value, 0.0),)
    found = []
    for place, token in enumerate(sentence.cut):
        free = token.kind == "number" and used.isdisjoint(range(token.start, token.end))
        if free and _is_candidate(quantity, sentence, place):
            values = tuple(_values(quantity, sentence, place))
            if values:
                found.append((token.text, token.start, values))
    return found[0] if len(found) == 1 else None


def _is_candidate(quantity: Quantity, sentence: Sentence, place: int) -> bool:
    token, text = sentence.cut[place], sentence.text
    if quantity.but and quantity.but.stands_by(text, token.start, token.end):
        return False
    if quantity.stated:
        return quantity.stated.stands_by(text, token.start, token.end)
    if (
        place
        and sentence.cut[place - 1].kind == "rel"
        and any(each.text in _FACTORS for each in sentence.cut[:place])
    ):
        return False  # the result of a calculation that the text shows
    around = sentence.cut[max(0, place - 1) : place] + sentence.cut[place + 1 : place + 2]  # type: ignore[operator]
    return quantity.unit != "" or not any(each.kind == "op" and each.text in _FACTORS for each in around)


def _values(quantity: Quantity, sentence: Sentence, place: int) -> Iterator[Value]:
    token = sentence.cut[place]
    before = sentence.text[max(0, token.start - 16) : token.start]
    plus = sentence.text[token.end : token.end + 1] == "+"
    bound = "least" if plus or _AT_LEAST.search(before) else "most" if _AT_MOST.search(before) else ""
    for reading in token.readings:
        if reading.unit == quantity.unit:
            factor = 1.0
        elif reading.unit == "" and quantity.scale:
            factor = quantity.scale
        else:
            continue
        low = _range_begins(sentence.cut, place, reading)
        yield Value(low * factor, reading.value * factor, reading.step * factor, reading.usual, bound)


def _range_begins(cut: Sequence[Token], place: int, reading: Reading) -> float:
    """Return the lower end of a range that a number closes, `10-20 GB`; else the number."""
    if place < 2 or cut[place - 2].kind != "number" or cut[place - 1].text not in ("-", "–", "to"):
        return reading.value
    figures = _FIGURES.search(cut[place].text)
    first = cut[place - 2].readings[0]
    own = float(figures[0].replace(",", "")) if figures else 0.0
    prefix = reading.value / own if own and first.unit != reading.unit else 1.0
    low = first.value * prefix
    return low if 0 < low <= reading.value else reading.value


def judge_pending(pending: Pending, values: Mapping[str, Any]) -> Finding:
    """Return the finding of a recognised statement, given the results of calls."""
    verdicts: dict[str, tuple[float, Way]] = {}
    for way in pending.ways:
        value = _computed(way, values)
        if value is None:
            continue
        for stated in pending.stated:
            verdict = _verdict(stated, value, pending.tolerance, pending.sense)
            verdicts.setdefault(
                "imprecise" if verdict == "right" and not stated.usual else verdict, (value, way)
            )
    for verdict in ("right", "imprecise", "wrong", "unknown"):
        if verdict in verdicts:
            value, way = verdicts[verdict]
            return replace(
                pending.finding, verdict=verdict, computed=_told(value, pending.unit), check=_shown(way)
            )
    return pending.finding


def _told(value: float, unit: str) -> str:
    """Return a computed value as a reader knows it: bytes in GB, rates in GB/s, the rest as a number."""
    if unit in ("B", "B/s", "FLOP", "FLOP/s"):
        return format_value(value, unit, Format("si"))
    return f"${value:,.6g}" if unit == "$" else f"{value:,.6g}" + (f" {unit}" if unit == "s" else "")


def _shown(way: Way) -> str:
    key = f"[{way.key!r}]" if way.key is not None else ""
    return f"{way.call}{key}" + (f" / {way.over}" if way.over else "")


def _computed(way: Way, values: Mapping[str, Any]) -> float | None:
    value = _entry(values.get(way.call), way.key)
    if value is None or not way.over:
        return value if value is None else value * way.factor
    over = _entry(values.get(way.over), way.over_key)
    return value / over * way.factor if over else None


def _entry(value: Any, key: str | int | None) -> float | None:
    if isinstance(value, dict):
        value = value.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _verdict(stated: Value, computed: float, tolerance: float, sense: str) -> str:
    """Compare a stated value, range or bound with what comes out."""
    half = stated.step / 2 * (1 + 1e-9)
    if stated.low - half <= computed <= stated.high + half:
        return "right"
    if computed <= stated.high and (stated.bound == "most" or sense == "least"):
        return "right"
    if computed >= stated.low and (stated.bound == "least" or sense == "most"):
        return "right"
    nearest = stated.low if computed < stated.low else stated.high
    if not nearest or not computed or nearest * computed < 0:
        return "right" if abs(nearest - computed) < 1e-9 else "wrong"
    off = max(nearest / computed, computed / nearest) - 1
    if off <= min(0.05, tolerance):
        return "right"
    return "imprecise" if off <= tolerance else "unknown" if off > MISREAD else "wrong"
