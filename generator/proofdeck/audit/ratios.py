"""Ratios and growth that a text states beside the two numbers: `8× (64 vs 8 heads)`, `doubled from 32K to 64K`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proofdeck.audit.calculations import ABOUT
from proofdeck.audit.judge import Stated
from proofdeck.audit.model import Finding
from proofdeck.audit.tokens import Reading, Token

VERBS = {
    2.0: r"doubl(?:e|es|ed|ing)|twofold|twice",
    3.0: r"tripl(?:e|es|ed|ing)|threefold",
    4.0: r"quadrupl(?:e|es|ed|ing)|fourfold",
    0.5: r"halv(?:e|es|ed|ing)",
}
_VERBS = {factor: re.compile(rf"(?:{pattern})$", re.I) for factor, pattern in VERBS.items()}
_JOINTS = ("to", "vs", "versus", "→", "->", "⟶", "=>", "against", "vs.")
_CHANGE = re.compile(
    r"\b(?:reduc|sav|less|fewer|smaller|cheaper|lower|drop|shrink|cut|decreas|more|larger|increas|higher|grow|faster|"
    r"slower|improv|compress|overhead|gain)", re.I
)  # fmt: skip
NEAR = 60
"""Characters between the pair and the factor, at most."""
_CHANGED = re.compile(
    r"\s*(?:\w+\s)?(?:increase|decrease|reduction|more|less|fewer|higher|lower|gain|drop|growth|saving)s?\b"
)
_CLAUSE = re.compile(r":|\b(?:and|but|while|with|whereas|at|for|using)\b")
_OF_ELSE = re.compile(r"\s*(?:more|less|fewer|the|as|of|in|higher|lower|better|faster|slower)\b")
"""Behind a factor: it may be one of something else than the two numbers."""
_FROM = re.compile(r"\bfrom\s+(?:[\w'’-]+\s+){0,3}[~$]?$")
_PERCENT = ("percent", "change")
_PER = re.compile(r"^\s*(?:/|per\b|-)")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two numbers that a sentence sets side by side."""

    first: Token
    second: Token

    @property
    def start(self) -> int:
        return self.first.start

    @property
    def end(self) -> int:
        return self.second.end


def ratios(text: str, tokens: Sequence[Token]) -> Iterator[Finding]:
    """Yield the stated ratio of a sentence that sets exactly two numbers side by side.

    A factor that stands close to the two is about them; one further off may be about something else, so it
    counts only if it is right.
    """
    pairs = list(_pairs(text, tokens))
    if len(pairs) != 1:
        return
    pair = pairs[0]
    factors = [
        (token, factor)
        for token in tokens
        if (token.end <= pair.start or token.start >= pair.end) and (factor := _factor(token))
    ]
    if len(factors) != 1:
        return
    token, (kind, stated) = factors[0]
    between = text[token.end : pair.start] if token.end <= pair.start else text[pair.end : token.start]
    if len(between) > NEAR or ";" in between:
        return
    if kind == "percent" and _CHANGED.match(text, token.end):
        kind = "change"
    verdict, computed = _verdict(kind, stated, pair)
    if verdict == "wrong" and not (
        _is_close(text, token, pair, kind, between) and not _OF_ELSE.match(text, token.end)
    ):
        return
    begin, end = min(token.start, pair.start), max(token.end, pair.end)
    yield Finding(" ".join(text[begin:end].split())[:160], token.text, computed, verdict, "ratio", begin)


def _is_close(text: str, token: Token, pair: Pair, kind: str, between: str) -> bool:
    """Say whether a factor is about the pair: joined by signs alone, or by a few words of change."""
    if _CLAUSE.search(between):
        return False
    words = len(re.findall(r"\w+", between))
    if kind == "verb":
        return token.end <= pair.start and words <= 6
    around = text[max(0, token.start - 25) : token.end + 25]
    return not words or (words <= 4 and bool(_CHANGE.search(around)))


def _pairs(text: str, tokens: Sequence[Token]) -> Iterator[Pair]:
    for index, token in enumerate(tokens):
        if token.kind != "number":
            continue
        place = index + 1
        words = 0
        while (
            place < len(tokens)
            and tokens[place].kind == "word"
            and words < 3
            and tokens[place].text not in _JOINTS
        ):
            place += 1
            words += 1
        if place >= len(tokens) or tokens[place].text.lower() not in _JOINTS:
            continue
        joint = tokens[place]
        if joint.text == "to" and not _FROM.search(text[max(0, token.start - 40) : token.start]):
            continue  # 5 to 10 is a range
        place += 1
        while place < len(tokens) and (
            tokens[place].text in ("~", "$", "≈") or tokens[place].text.lower() in ABOUT
        ):
            place += 1
        if place < len(tokens) and tokens[place].kind == "number":
            if not _PER.match(text[tokens[place].end :][:6]):
                yield Pair(token, tokens[place])


def _factor(token: Token) -> tuple[str, Stated] | None:
    """Return (`times`, `percent` or `verb`, the factor) of a token that states one."""
    if token.kind == "word":
        for factor, pattern in _VERBS.items():
            if pattern.match(token.text):
                return "verb", Stated(factor, 0.2 * factor, 1, True)
        return None
    if token.kind != "number":
        return None
    reading = token.readings[0]
    if reading.unit == "x":
        return "times", Stated(reading.value, reading.place or 1.0, token.digits, False)
    if reading.unit == "%":
        return "percent", Stated(reading.value, reading.place or 0.01, token.digits, False)
    return None


_BEST = ("right", "imprecise", "wrong", "unknown")


def _verdict(kind: str, stated: Stated, pair: Pair) -> tuple[str, str]:
    """Compare the factor with every ratio that the two numbers can stand in; the best verdict counts."""
    # the same prefix means the same in both numbers
    alike = len(pair.first.readings) == len(pair.second.readings)
    join = zip if alike else itertools.product
    found = [
        _compared(kind, stated, one, other)
        for one, other in join(pair.first.readings, pair.second.readings)
        if one.value and other.value and _comparable(one, other)
    ]
    return min(found, key=lambda each: _BEST.index(each[0]), default=("unknown", ""))


def _compared(kind: str, stated: Stated, one: Reading, other: Reading) -> tuple[str, str]:
    quotient = other.value / one.value
    half = stated.step / 2 + 1e-9
    candidates = _candidates(kind, quotient)
    for candidate in candidates:
        if abs(candidate - stated.value) <= half:
            return "right", f"{100 * candidate:.3g} %" if kind in _PERCENT else f"{candidate:.3g}×"
    spread = _spread(one) + _spread(other)
    for candidate in candidates:
        allowed = half + candidate * spread + (0.03 if kind in _PERCENT else 0.1 * candidate)
        if abs(candidate - stated.value) <= allowed:
            return "imprecise", _tell(kind, quotient)
    return "wrong", _tell(kind, quotient)


def _candidates(kind: str, quotient: float) -> list[float]:
    """Return what a factor can say of two numbers: their ratio either way, or the change from one to the other."""
    changes = [abs(quotient - 1), abs(1 / quotient - 1)]
    ratios = [] if kind == "change" else [quotient, 1 / quotient]
    return ratios + ([] if kind == "verb" else changes)


def _comparable(one: Reading, other: Reading) -> bool:
    return one.unit == other.unit and one.unit not in ("x", "%")


def _spread(reading: Reading) -> float:
    return (reading.place / 2) / abs(reading.value)


def _tell(kind: str, quotient: float) -> str:
    if kind in _PERCENT:
        return f"{100 * abs(quotient - 1):.3g} %"
    return f"{max(quotient, 1 / quotient):.3g}×"
