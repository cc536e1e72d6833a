"""Units and the text of numbers."""

from __future__ import annotations

import ast
import contextlib
import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofdeck.units import (
    BASE_UNITS,
    BINARY,
    COUNTS,
    DECIMAL,
    SYMBOLS,
    Format,
    FormatError,
    conversion,
    format_value,
    measure,
    parse_format,
)

from .helpers import Case, cases

SPACE = "\N{NO-BREAK SPACE}"


def told(line: str) -> str:
    """Format `value | base unit | format`, no-break spaces shown as `~`."""
    value, base, how = (word.strip() for word in (line + " ").split(" | "))
    number = float(value) if value.lstrip("-") in ("inf", "nan") else ast.literal_eval(value)
    return format_value(number, base, parse_format(how)).replace(SPACE, "~")


@pytest.mark.parametrize("case", cases("units_format"))
def test_numbers_are_told(case: Case) -> None:
    assert [told(line) for line in case.text.split("\n")] == case.expected.split("\n")


@pytest.mark.parametrize("case", cases("units_refused"))
def test_wrong_units_are_refused_with_the_right_ones(case: Case) -> None:
    with pytest.raises(FormatError) as caught:
        told(case.text)
    assert str(caught.value) == case.expected


def test_every_unit_that_is_offered_is_taken() -> None:
    for base in [*BASE_UNITS, "B/s", "FLOP/s", "B/token", "FLOP/B", "token/s"]:
        with pytest.raises(FormatError) as caught:
            conversion(base, "Hz/W")
        for unit in str(caught.value).partition("use one of: ")[2].split():
            assert conversion(base, unit) > 0
            format_value(1.5, base, parse_format(unit))


def test_decimal_and_binary_prefixes_are_exact_and_different() -> None:
    for prefix, power in DECIMAL.items():
        assert Fraction(conversion("B", f"{prefix}B")) == 10**power
    for prefix, power in BINARY.items():
        assert Fraction(conversion("B", f"{prefix}B")) == 2**power
        assert conversion("B", f"{prefix}B") > conversion("B", f"{prefix[0].replace('K', 'k')}B")
    assert {unit: Fraction(factor) for unit, factor in COUNTS.items()} == {
        "k": 10**3, "M": 10**6, "B": 10**9, "T": 10**12,
    }  # fmt: skip


@pytest.mark.parametrize("prefix", ["K", "M", "G", "T", "P"])
def test_gigabytes_and_gibibytes_are_never_printed_for_each_other(prefix: str) -> None:
    decimal, binary = f"{prefix.replace('K', 'k')}B", f"{prefix}iB"
    value = 5 * 2**50 * 10**6
    one, other = (format_value(value, "B", Format(unit, ".17g")) for unit in (decimal, binary))
    assert one.split(SPACE)[1] == decimal
    assert other.split(SPACE)[1] == binary
    assert float(one.split(SPACE)[0]) * conversion("B", decimal) == value
    assert float(other.split(SPACE)[0]) * conversion("B", binary) == value


@pytest.mark.parametrize("unit", sorted(SYMBOLS))
def test_every_symbol_has_a_base_unit_of_which_one_is_one(unit: str) -> None:
    factor, base = SYMBOLS[unit]
    assert factor > 0
    assert measure(base) == (1.0, base)
    assert measure(f"{unit}/s") == (factor, f"{base}/s")


SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def read_back(text: str) -> float:
    """Return the number that a reader sees, in the unit that he sees."""
    number = text.partition(SPACE)[0].rstrip("%×kMBT").replace(",", "").replace("−", "-")
    if found := re.search(r"^(-?[\d.]+) × 10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", text.replace("−", "-")):
        return float(f"{found[1]}e{found[2].translate(SUPERSCRIPT)}")
    return float(number)


UNITS = [(base, unit) for unit, (_, base) in SYMBOLS.items() if base not in ("$", "1", "param", "token")]


@given(
    value=st.floats(min_value=1e-3, max_value=1e14) | st.integers(min_value=-(10**14), max_value=10**14),
    pair=st.sampled_from(
        [*UNITS, ("B/s", "GB/s"), ("B", ""), ("1", "%"), ("1", ""), ("param", "B"), ("1", "k")]
    ),
)
@settings(max_examples=250, deadline=None)
def test_what_a_card_shows_is_the_value_within_rounding(value: float | int, pair: tuple[str, str]) -> None:
    base, unit = pair
    scaled = value / (conversion(base, unit) if unit else 1)
    shown = read_back(format_value(value, base, Format(unit)))
    # three significant digits are right to half a unit of the last, and whole numbers to one half
    assert shown == pytest.approx(scaled, rel=0.0051, abs=1e-300)
    if abs(scaled) >= 100 and "10" not in format_value(value, base, Format(unit)):
        assert abs(shown - scaled) <= 0.5 + 1e-6 * abs(scaled)


@given(st.integers(min_value=-(10**15) + 1, max_value=10**15 - 1))
@settings(max_examples=200, deadline=None)
def test_whole_numbers_are_exact(value: int) -> None:
    assert int(format_value(value, "1", Format()).replace(",", "").replace("−", "-")) == value


@given(
    value=st.floats(min_value=-1e12, max_value=1e12),
    spec=st.sampled_from([".0f", ".1f", ".2f", ",.2f", ".3g", ".6g", ".3e", "d", ",", ""]),
    unit=st.sampled_from(["", "GB", "GiB", "kB", "B"]),
)
@settings(max_examples=300, deadline=None)
def test_a_number_format_only_rounds(value: float, spec: str, unit: str) -> None:
    scaled = value / (conversion("B", unit) if unit else 1)
    text = format_value(value, "B", Format(unit, spec))
    digits = int(found[0]) if (found := re.findall(r"\d+", spec)) else None
    shown = read_back(text.replace("e+", "e"))
    if spec.endswith("f"):
        assert abs(shown - scaled) <= 0.5 * 10.0 ** -(digits or 0) * (1 + 1e-6) + 1e-9 * abs(scaled)
    elif spec == "d":
        assert abs(shown - scaled) <= 0.5 + 1e-9 * abs(scaled)
    else:
        assert shown == pytest.approx(scaled, rel=0.0051, abs=0.5e-4)


@given(
    value=st.integers() | st.floats() | st.text(max_size=5),
    base=st.sampled_from(["B", "1", "param", "s", "FLOP/s", "$", "text", "token", "bit", "furlong"]),
    how=st.lists(
        st.sampled_from(
            [
                *SYMBOLS,
                *COUNTS,
                "si",
                "sci",
                "%",
                "×",
                "x",
                ".3g",
                ".2f",
                ",",
                "d",
                "e",
                ".0e",
                ",d",
                ".9%",
                "GB/s",
            ]
        ),
        max_size=2,
    ),
)
@settings(max_examples=300, deadline=None)
def test_no_value_and_no_format_break_the_formatter(value: object, base: str, how: list[str]) -> None:
    try:
        text = format_value(value, base, parse_format(" ".join(how)))  # type: ignore[arg-type]
    except FormatError:
        return
    assert "\n" not in text or isinstance(value, str)


@given(st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_reader_of_formats(text: str) -> None:
    with contextlib.suppress(FormatError):
        parse_format(text)


@pytest.mark.parametrize("how", ["", "GB", "si", "sci", ".2f", "d", "GiB ,", "kB .3e"])
@pytest.mark.parametrize("value", [10**400, -(10**400), 10**309])
def test_a_number_too_large_for_a_float_is_no_traceback(value: int, how: str) -> None:
    with contextlib.suppress(FormatError):
        format_value(value, "B", parse_format(how))


@pytest.mark.parametrize(
    ("value", "how", "text"), [(2.9999999996, "d", "3"), (1.99e9, "GB d", "2"), (-2.6, "d", "−3")]
)
def test_whole_numbers_are_rounded_not_cut(value: float, how: str, text: str) -> None:
    assert format_value(value, "B", parse_format(how)).split(SPACE)[0] == text


@pytest.mark.parametrize("value", [999_999, 999_600, 999_999_999_999])
def test_a_chosen_prefix_leaves_at_most_three_digits(value: int) -> None:
    number = format_value(value, "B", Format("si")).split(SPACE)[0]
    assert len(number.replace(",", "").partition(".")[0]) <= 3
