"""Calculations that a text writes out: `80 layers × 8 heads × 128 × 2 bytes = 164 KB`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from proofdeck.audit.expressions import Expression, Number, Operation, Parser, TooLong, leaves, values
from proofdeck.audit.judge import EXACT_DIGITS, Computed, Stated, is_conversion, judge
from proofdeck.audit.model import VERDICTS, Finding
from proofdeck.audit.tokens import Token

ABOUT = (
    "~",
    "≈",
    "≃",
    "≅",
    "about",
    "around",
    "roughly",
    "approximately",
    "nearly",
    "almost",
    "approx",
    "circa",
)
BOUNDS = (
    "<",
    ">",
    "≤",
    "≥",
    "over",
    "under",
    "than",
    "least",
    "most",
    "to",
    "max",
    "min",
    "below",
    "above",
    "only",
    "±",
)


def calculations(text: str, tokens: Sequence[Token]) -> list[Finding]:
    """Return every calculation of a sentence whose result it states."""
    try:
        return list(_calculations(text, tokens))
    except TooLong:
        return []


def _calculations(text: str, tokens: Sequence[Token]) -> Iterator[Finding]:
    position = 0
    while position < len(tokens):
        start = position
        if tokens[start].kind not in ("number", "open", "sqrt"):
            position += 1
            continue
        parser = Parser(tokens, start)
        left = parser.sum()
        if left is None or not isinstance(left, Operation) or _is_open(text, tokens, start):
            position = max(
                start + 1, parser.position if left is not None and not _is_open(text, tokens, start) else 0
            )
            continue
        end = parser.position
        while end < len(tokens) and tokens[end].kind == "rel":
            sides = Parser(tokens, _behind_marks(tokens, end + 1))
            right = sides.sum()
            if right is None or _goes_on(tokens, sides.position):
                break
            marks = [token.text.lower() for token in tokens[end : _behind_marks(tokens, end + 1)]]
            last = tokens[sides.position - 1].end
            yield _judged(text, tokens[start].start, last, left, right, marks)
            end = sides.position
            if isinstance(right, Operation):  # A × B = C + D = E: the next result is that of C + D
                left = right
        position = max(end, start + 1)


def _is_open(text: str, tokens: Sequence[Token], start: int) -> bool:
    """Say whether something that is no number stands before an expression and belongs to it."""
    if not start:
        return False
    if text[tokens[start].start - 1] in "'’′":  # f'(1 + 0)
        return True
    before = tokens[start - 1]
    if before.kind == "op" and before.text not in "—–":
        return before.text != "-" or before.end == tokens[start].start
    glued = before.end == tokens[start].start
    return before.kind in ("sqrt",) or (glued and before.kind in ("word", "close", "number"))


def _goes_on(tokens: Sequence[Token], position: int) -> bool:
    """Say whether an expression is cut short by something that could not be read, as in `= 2 × d`."""
    return position < len(tokens) and tokens[position].kind == "op" and tokens[position].text not in "-—–"


def _behind_marks(tokens: Sequence[Token], position: int) -> int:
    while position < len(tokens) and (
        tokens[position].text.lower() in (*ABOUT, *BOUNDS, "exactly", "$", "a", "just")
        and tokens[position].kind in ("mark", "word", "rel")
    ):
        position += 1
    return position


def _judged(
    text: str, begin: int, end: int, left: Expression, right: Expression, marks: Sequence[str]
) -> Finding:
    about = any(mark in ABOUT for mark in marks) or "about" in marks
    stated_text = " ".join(text[begin:end].split())
    shown = stated_text if len(stated_text) <= 160 else stated_text[:157] + "…"
    target = right.text if isinstance(right, Number) else "the right side"
    verdicts: dict[str, float] = {}
    first = math.nan
    for computed, computed_unit, usual in values(left):
        for result, result_unit, result_usual in values(right):
            if math.isnan(first):
                first = computed.value
            verdict = _compare(computed, computed_unit, result, result_unit, right, about, marks)
            if verdict == "right" and not (usual and result_usual):
                verdict = "imprecise"
            verdicts.setdefault(verdict, computed.value)
    if "scaled" in verdicts and not any(r.place for leaf in leaves(left) for r in leaf.readings):
        verdicts.setdefault("right", verdicts["scaled"])  # 70 × 2 = 140 GB: the billions go without saying
    order = ("right", "imprecise", "scaled", "converted", "wrong")
    best = next((verdict for verdict in order if verdict in verdicts), "unknown")
    value = verdicts.get(best, first)
    if best not in VERDICTS:
        best = "unknown"
    doubts = (
        not _same_order(value, right),
        _is_size(text, begin, end),
        _first_fits(left, right),
        _needs_time(left, right),
    )
    if best == "wrong" and any(doubts):
        best = "unknown"
    return Finding(shown, target, _told(value), best, "calculation", begin)


_SIZE = re.compile(r"\d+[x×]\d+(?:[x×]\d+)?\s+[A-Za-z]")


def _is_size(text: str, begin: int, end: int) -> bool:
    """Say whether a product is the size of a thing, `16x16 patches`, and no count."""
    return bool(_SIZE.match(text, begin, end))


def _first_fits(left: Expression, right: Expression) -> bool:
    """Say whether the first number of a stated sum is the result: `= 300 GB of vectors + 150 GB of links`."""
    while isinstance(right, Operation) and right.sign in "+-":
        right = right.left
        for computed, unit, _ in values(left):
            for result, other, _ in values(right):
                if _compare(computed, unit, result, other, right, True, ()) in ("right", "imprecise"):
                    return True
    return False


def _needs_time(left: Expression, right: Expression) -> bool:
    """Say whether a result is a time although nothing that went in was one."""
    timed = [
        any(reading.unit == "s" for leaf in leaves(side) for reading in leaf.readings)
        for side in (left, right)
    ]
    return timed == [False, True]


def _same_order(value: float, right: Expression) -> bool:
    """Say whether a wrong result is at least of the stated one's order: else the words were misread."""
    results = [computed.value for computed, _, _ in values(right)]
    return any(result and value and 1e-3 < abs(value / result) < 1e3 for result in results)


def _compare(
    left: Computed, left_unit: str, right: Computed, right_unit: str, written: Expression, about: bool,
    marks: Sequence[str],
) -> str:  # fmt: skip
    """Return a verdict, `scaled` or `converted` for what a prefix or a unit explains, or `inconsistent`."""
    if "?" in (left_unit, right_unit) or not all(map(math.isfinite, (left.value, right.value))):
        return "inconsistent"
    if any(mark in ("<", "≤", "under", "below", "most") for mark in marks):
        return "right" if left.value <= right.value * 1.02 else "inconsistent"
    if any(mark in (">", "≥", "over", "above", "least") for mark in marks):
        return "right" if left.value >= right.value * 0.98 else "inconsistent"
    step, digits = 0.0, EXACT_DIGITS
    if isinstance(written, Number):
        step = max((r.step for r in written.readings if r.value == right.value), default=0.0)
        digits = _digits(written.text)
    same = left_unit == right_unit or not left_unit or not right_unit
    verdict = judge(Stated(right.value, step, digits, about), left)
    if not same:
        return "inconsistent"
    if verdict != "wrong":
        return verdict
    if is_conversion(right.value, left.value):
        return "scaled" if _is_prefix(right.value, left.value) and left_unit != right_unit else "converted"
    return verdict


def _is_prefix(stated: float, computed: float) -> bool:
    ratio = max(stated, computed) / min(stated, computed)
    return any(abs(ratio / base**n - 1) < 0.06 for base in (1e3, 1024.0) for n in (1, 2, 3, 4))


def _digits(text: str) -> int:
    figures = "".join(char for char in text if char.isdigit() or char == ".")
    whole, point, fraction = figures.partition(".")
    return len((whole + fraction).lstrip("0")) if point else len(whole.rstrip("0")) or 1


def _told(value: float) -> str:
    if not math.isfinite(value):
        return ""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.4g}" if 1e-3 <= abs(value) < 1e6 else f"{value:.4g}"
