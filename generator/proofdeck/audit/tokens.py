"""Prose to tokens: numbers with their units and precision, operators, words.

A number keeps every reading that people mean by it: 128K is 128,000 or 131,072, 2B is two billion or two
bytes, and a GB is sometimes a GiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

THOUSANDS = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
BINARY = {"k": 2.0**10, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "T": 2.0**40}
WORDS = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "quadrillion": 1e15,
}  # fmt: skip
PREFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "Z": 1e21}
TIMES = {"ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0,
         "seconds": 1.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0, "hr": 3600.0, "hrs": 3600.0,
         "h": 3600.0, "hour": 3600.0, "hours": 3600.0, "day": 86400.0, "days": 86400.0}  # fmt: skip
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_TOKEN = re.compile(
    rf"""
      (?P<sqrt>√|\bsqrt\b)
    | (?P<cross>(?<![A-Za-z_])x(?=\s?[\d($√]))
    | (?P<money>\$)?(?P<number>{_NUMBER})(?P<exp>[eE][+-]?\d{{1,3}}(?![\w.]))?
    | (?P<word>[^\W\d]\w*(?:[-'’.]\w+)*)
    | (?P<rel>≈|≃|~=|==|=|≅)
    | (?P<arrow>→|->|⟶|⇒|=>)
    | (?P<op>\*\*|[+*×·/÷^−–—-])
    | (?P<open>\()
    | (?P<close>\))
    | (?P<mark>[~<>≤≥±%$,;:.?!|"“”\[\]{{}}])
    """,
    re.X,
)
_REST = re.compile(r"\w*")
_CROSS = re.compile(r"x\s?[\d(]")
_RATE = re.compile(
    r"\s?(?:/|per)\s?(?:1\s?)?(?:(?P<many>[KMBT]|thousand|million|billion)|(?P<time>s|sec|min|h|hr|hour|day))\b"
)
_POWER = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_UNIT = re.compile(
    r"""
      \s?(?P<iec>[KMGTP]iB)\b
    | \s?(?P<bytes>[kKMGTPE]B)(?P<rate>/s(?:ec)?\b|ps\b)?(?![\w])
    | \s?(?P<flop>[kKMGTPEZ]?FLOP)(?:s|S)?(?P<flops>/s|PS)?(?![\w])
    | \s?(?P<bits>[kKMGT]?bits?|[KMGT]b)(?P<bitrate>/s|ps)?\b
    | \s(?P<word>hundred|thousand|million|billion|trillion|quadrillion)\b
    | (?P<suffix>[kKMBT])(?![^\W⁰¹²³⁴⁵⁶⁷⁸⁹])
    | \s?(?P<plainbytes>[Bb]ytes?)\b
    | \s(?P<b>B)(?![\w])
    | (?P<percent>\s?%)
    | \s?(?P<times>(?<!\s)[x×](?![\w(])(?!\s?[\d(√~$])|times\b|-?fold\b)
    | \s?-?(?P<time>ns|µs|us|ms|secs?|seconds?|mins?|minutes?|hrs?|hours?|days?|[sh])\b(?![-'’])
    """,
    re.X,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that a written number can mean."""

    value: float
    unit: str
    """`B`, `bit`, `FLOP`, `s`, `$`, `%`, `x`, `B/s`, `FLOP/s` or empty."""
    step: float
    """The last digit that counts, in `unit`: zeros at the end of a stated number say nothing."""
    place: float
    """The last digit written, in `unit`; 0 for a plain whole number, which is taken for exact."""
    usual: bool = True
    """False for a reading that is loose, as GB for GiB."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a sentence."""

    kind: str
    """`number`, `word`, `op`, `rel`, `arrow`, `open`, `close`, `mark` or `sqrt`."""
    text: str
    start: int
    end: int
    readings: tuple[Reading, ...] = ()
    digits: int = 0
    """Significant digits of a number."""


def tokens(text: str) -> list[Token]:
    """Cut a text into tokens; what is none is left out."""
    return list(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while match := _TOKEN.search(text, position):
        kind = match.lastgroup or ""
        position = match.end()
        if match["number"] is None:
            yield Token("op" if kind == "cross" else kind, match[0], match.start(), match.end())
            continue
        unit = _UNIT.match(text, position)
        if unit and match["money"] and not (unit["suffix"] or unit["word"]):
            unit = None
        if not unit and text[position : position + 1].isalpha() and not _is_operator(text, position):
            # 4th, 3D, 2e: a name that begins with a digit
            end = _REST.match(text, position).end()  # type: ignore[union-attr]
            yield Token("word", text[match.start() : end], match.start(), end)
            position = end
            continue
        end = unit.end() if unit else position
        rate = _RATE.match(text, end)
        power = _POWER.match(text, end)
        readings, digits = _readings(match, unit)
        if power:
            end = power.end()
            readings = tuple(_raised(reading, _exponent(power[0])) for reading in readings)
        elif rate:
            end = rate.end()
            readings = tuple(_rated(readings, rate))
        yield Token("number", text[match.start() : end], match.start(), end, readings, digits)
        position = end


def _rated(readings: tuple[Reading, ...], rate: re.Match[str]) -> Iterator[Reading]:
    """Yield the readings of a number for each million of something, or for each hour."""
    for r in readings:
        if rate["many"]:
            factor = THOUSANDS.get(rate["many"]) or WORDS[rate["many"]]
            yield Reading(r.value / factor, r.unit, r.step / factor, r.place / factor, r.usual)
        else:
            yield r
            seconds = TIMES[rate["time"]]
            yield Reading(r.value / seconds, f"{r.unit}/s", r.step / seconds, r.place / seconds, r.usual)


def _raised(reading: Reading, power: int) -> Reading:
    try:
        return Reading(reading.value**power, reading.unit, 0.0, 0.0, reading.usual)
    except (ZeroDivisionError, OverflowError):
        return Reading(0.0, "?", 0.0, 0.0, False)


def _is_operator(text: str, position: int) -> bool:
    """Say whether an x stands between two numbers."""
    return bool(_CROSS.match(text, position))


def _readings(match: re.Match[str], unit: re.Match[str] | None) -> tuple[tuple[Reading, ...], int]:
    written = match["number"].replace(",", "")
    value = float(written)
    whole, _, fraction = written.partition(".")
    step = 10.0 ** -len(fraction)
    digits = len((whole + fraction).strip("0")) if fraction == "" else len((whole + fraction).lstrip("0"))
    if not fraction and value:
        step = 10.0 ** (len(whole) - len(whole.rstrip("0")))
        digits = len(whole.rstrip("0"))
    if match["exp"]:
        factor = 10.0 ** int(match["exp"][1:])
        value, step = value * factor, step * factor
    base = "$" if match["money"] else ""
    place = 10.0 ** -len(fraction) if fraction or unit or match["exp"] else 0.0
    if match["exp"]:
        place *= 10.0 ** int(match["exp"][1:])
    found = [
        Reading(value * f, u or base, step * f, place * f, usual) for f, u, usual in _factors(unit, value)
    ]
    return tuple(found), max(1, digits)


def _exponent(text: str) -> int:
    try:
        return max(-99, min(99, int(text.translate(_SUPERSCRIPT))))
    except ValueError:
        return 1


def _factors(unit: re.Match[str] | None, value: float) -> list[tuple[float, str, bool]]:
    """Return (factor, unit, whether that is what it usually means) of what stands behind a number."""
    if unit is None:
        return [(1.0, "", True)]
    if unit["iec"]:
        return [
            (BINARY[unit["iec"][0].replace("P", "T")] * (1024.0 if unit["iec"][0] == "P" else 1.0), "B", True)
        ]
    if unit["bytes"]:
        prefix, kind = unit["bytes"][0], "B/s" if unit["rate"] else "B"
        loose = [(BINARY[prefix], kind, False)] if prefix in BINARY else []
        return [(PREFIXES[prefix], kind, True), *loose]
    if unit["flop"]:
        return [(PREFIXES[unit["flop"].removesuffix("FLOP")], "FLOP/s" if unit["flops"] else "FLOP", True)]
    if unit["bits"]:
        prefix = unit["bits"][0] if unit["bits"][0] in "kKMGT" else ""
        return [(PREFIXES[prefix], "bit/s" if unit["bitrate"] else "bit", True)]
    if unit["word"]:
        return [(WORDS[unit["word"]], "", True)]
    if unit["suffix"]:
        suffix = unit["suffix"]
        found = [(THOUSANDS[suffix], "", True)]
        if suffix == "B":
            return [*found, (1.0, "B", True)] if value <= 16 else found
        if suffix in BINARY and value == int(value):
            found.append((BINARY[suffix], "", True))
        return found
    if unit["plainbytes"]:
        return [(1.0, "B", True)]
    if unit["b"]:
        return [(1.0, "B", True), (1e9, "", True)]
    if unit["percent"]:
        return [(0.01, "%", True)]
    if unit["times"]:
        return [(1.0, "x", True)]
    return [(TIMES[unit["time"]], "s", True), (1.0, "", True)]
