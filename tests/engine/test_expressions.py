"""Calls and comparisons in role text: what is read, what is refused, and what is true."""

from __future__ import annotations

import contextlib
import math
import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from proofdeck.evidence.code import Function
from proofdeck.evidence.resolve import Fact, Wrong, judge, value_text
from proofdeck.parse.expressions import (
    Call,
    Comparison,
    ExpressionError,
    parse_call,
    parse_check,
    parse_operand,
)
from proofdeck.parse.model import Check, Place, Value
from proofdeck.units import parse_format

from .helpers import Case, cases

PLACE = Place("c.md", 1, 1)


@pytest.mark.parametrize("case", cases("expressions"))
def test_a_call_has_one_text(case: Case) -> None:
    operand = parse_operand(case.text)
    assert str(operand) == case.expected
    assert str(parse_operand(case.expected)) == case.expected


@pytest.mark.parametrize("case", cases("expressions_refused"))
def test_what_is_no_call_with_literals_is_refused(case: Case) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_operand(case.text)
    assert "\n".join(filter(None, [str(caught.value), caught.value.hint])) == case.expected


@pytest.mark.parametrize(
    "text", ["m.f(a=1, a=2)", "m.f(1e999)", "m.f([-1e999])", f"m.f(0x{'f' * 4000})", "m.f('\x00')"]
)
def test_what_has_no_text_of_its_own_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        str(parse_operand(text))


@pytest.mark.parametrize("text", ["m.f(" + "-" * 3000 + "1)", "m" + ".f" * 3000 + "()", "m.f(" + "[" * 3000])
def test_deep_nesting_is_refused_or_read(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        str(parse_operand(text))


def test_same_call_however_it_is_written() -> None:
    one = parse_call('m.f("a", b=1, c=[2])')
    other = parse_call("  m.f('a',c = (2,),\n b=1)")
    assert str(one) == str(other)
    assert one == other


def test_a_call_is_not_another_call() -> None:
    texts = [
        "m.f(1)",
        "m.f(1.0)",
        "m.f('1')",
        "m.f([1])",
        "m.f(a=1)",
        "m.f(True)",
        "m.f(None)",
        "m.f()",
        "n.f(1)",
    ]
    assert len({str(parse_call(text)) for text in texts}) == len(texts)


def test_numbers_of_a_call_are_what_it_vouches_for() -> None:
    call = parse_call("m.f(4096, 'llama-2-7b', b=-2.5, a=[1, [2]], c=True)")
    assert sorted(call.numbers) == [-2.5, 1, 2, 4096]


literals = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)
names = st.sampled_from(["a", "b_2", "tokens", "ñ", "Z"])


@given(args=st.lists(literals, max_size=4), kwargs=st.dictionaries(names, literals, max_size=3))
@settings(max_examples=100, deadline=None)
def test_the_text_of_a_call_reads_back_as_the_call(args: list, kwargs: dict) -> None:
    call = Call("m.sub.f", tuple(args), tuple(sorted(kwargs.items())))
    again = parse_call(str(call))
    assert (again.function, again.args, again.kwargs) == (call.function, call.args, call.kwargs)
    assert str(again) == str(call)
    assert parse_call(str(again)) == again


@given(kwargs=st.permutations([("a", 1), ("b", 2), ("c", 3)]))
@settings(max_examples=6, deadline=None)
def test_the_order_of_keywords_does_not_matter(kwargs: list) -> None:
    call = parse_call(f"m.f({', '.join(f'{name}={value}' for name, value in kwargs)})")
    assert parse_call(str(call)) == call == parse_call("m.f(a=1, b=2, c=3)")


@given(st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_the_reader(text: str) -> None:
    for read in (parse_operand, parse_check):
        with contextlib.suppress(ExpressionError):
            read(text)


@given(st.text(alphabet="mf.()[]12e9±%≈=<>,-_ \"'GBi", max_size=24))
@settings(max_examples=200, deadline=None)
def test_no_text_that_looks_like_a_comparison_breaks_the_reader(text: str) -> None:
    for full in (text, f"m.f() ≈ {text}", f"m.f({text})", f"m.f() ≈ 2 ± {text}"):
        with contextlib.suppress(ExpressionError):
            parse_check(full)


@pytest.mark.parametrize("slack", ["1.2.3", ".", ",", "1e999", "%", "-1", "two"])
def test_a_tolerance_that_is_no_number_is_refused(slack: str) -> None:
    with pytest.raises(ExpressionError):
        parse_check(f"m.f() ≈ 2 ± {slack}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("m.f() = 2", "= 2 None False"),
        ("m.f() == 2", "= 2 None False"),
        ("m.f() != 2", "≠ 2 None False"),
        ("m.f() ≠ 2", "≠ 2 None False"),
        ("m.f() <= 2", "≤ 2 None False"),
        ("m.f() >= 2", "≥ 2 None False"),
        ("m.f() < 2", "< 2 None False"),
        ("m.f() > 2", "> 2 None False"),
        ("m.f() ~ 2", "≈ 2 None False"),
        ("m.f() ~= 2", "≈ 2 None False"),
        ("m.f() ≈ 2 ± 5%", "≈ 2 0.05 True"),
        ("m.f() ≈ 2 +- 0.5", "≈ 2 0.5 False"),
        ("m.f() ≈ 2 +/- 1e-3", "≈ 2 0.001 False"),
        ("m.f() = 2 ± 1,000", "= 2 1000 False"),
        ("m.f() ≈ 1.34 GB", "≈ 1.34 GB None False"),
        ("m.f() ≈ 1,024 MiB ± 2", "≈ 1024 MiB 2 False"),
        ("m.f() = −5", "= -5 None False"),
        ("m.f() ≈ 3e9", "≈ 3e+09 None False"),
        ("m.f(a='x = y')[\"a < b\"] < 2", "< 2 None False"),
        ("m.f() < 50%", "< 50 % None False"),
        ("m.f() > 2 ×", "> 2 × None False"),
        ("m.f() > 7 B", "> 7 B None False"),
    ],
)
def test_comparisons_are_read(text: str, told: str) -> None:
    test = parse_check(text)
    assert isinstance(test, Comparison)
    slack = None if test.tolerance is None else f"{test.tolerance:g}"
    assert f"{test.operator} {test.right} {slack} {test.relative}" == told


FUNCTIONS = {
    "m.bytes": ("B", 1_342_177_280),
    "m.half": ("1", 0.5),
    "m.third": ("1", 1 / 3),
    "m.two": ("1", 2),
    "m.nearly": ("1", 2 * (1 + 1e-10)),
    "m.speed": ("FLOP/s", 9.89e14),
    "m.short": ("s", 0.0021),
    "m.count": ("param", 7_000_000_000),
    "m.minus": ("1", -3),
    "m.nan": ("1", math.nan),
    "m.inf": ("1", math.inf),
    "m.huge": ("1", 10**400),
    "m.name": ("text", "seven"),
    "m.both": ("weights=B, share=1", {"weights": 2_000, "share": 0.25}),
}


def facts() -> dict[str, Fact]:
    found = {}
    for name, (unit, value) in FUNCTIONS.items():
        pairs = [item.partition("=") for item in unit.split(", ")]
        units = tuple((key, of) if equals else ("", key) for key, equals, of in pairs)
        function = Function(name, "verifier", "verifiers/m.py", 1, "", "", units, ())
        found[f"{name}()"] = Fact(f"{name}()", value, function)
    return found


def verdict(text: str) -> bool:
    try:
        judge(Check(PLACE, text, parse_check(text)), facts())
    except Wrong as error:
        if not str(error).startswith("false: "):
            raise
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "m.bytes() = 1,342,177,280",
        "m.bytes() = 1.25 GiB",
        "m.bytes() = 1280 MiB",
        "m.bytes() ≈ 1.34 GB",
        "m.bytes() ≈ 1.3 GB",
        "m.bytes() ≈ 1 GB",
        "m.bytes() ≈ 1342 MB",
        "m.bytes() ≈ 1.4 GB ± 5%",
        "m.bytes() ≈ 1.3 GB ± 0.05",
        "m.bytes() < 1.35 GB",
        "m.bytes() > 1.34 GB",
        "m.half() = 50%",
        "m.half() = 0.5",
        "0.5 = m.half()",
        "m.third() ≈ 0.33",
        "m.third() ≈ 33%",
        "m.third() ≈ 33.3%",
        "m.third() ≠ 0.33",
        "m.two() = 2",
        "m.two() = 2 ×",
        "m.two() ≥ 2",
        "m.two() ≤ 2",
        "1 < m.two()",
        "m.nearly() = 2",
        "m.nearly() ≤ 2",
        "m.half() < m.two()",
        "m.two() ≈ m.nearly() ± 1%",
        "m.two() ≠ m.half()",
        "m.speed() ≈ 989 TFLOP/s",
        "m.speed() < 1 PFLOP/s",
        "m.short() ≈ 2.1 ms",
        "m.short() = 2100 µs",
        "m.count() = 7B",
        "m.count() = 7,000 M",
        "m.minus() = -3",
        "m.minus() = −3",
        "m.minus() < 0",
        "m.inf() > 1",
        'm.both()["share"] = 25%',
        'm.both()["weights"] = 2 kB',
        "m.half() ≈ m.two() ± 75%",
    ],
)
def test_a_true_comparison_holds(text: str) -> None:
    assert verdict(text)


@pytest.mark.parametrize(
    "text",
    [
        "m.bytes() = 1,342,177,300",
        "m.bytes() = 1.25 GB",
        "m.bytes() ≈ 1.25 GB",
        "m.bytes() ≈ 1.35 GB",
        "m.bytes() ≈ 1.33 GB",
        "m.bytes() ≈ 1.4 GB",
        "m.bytes() ≈ 1.342 GiB",
        "m.bytes() ≈ 1.5 GB ± 5%",
        "m.bytes() ≈ 1.3 GB ± 0.04",
        "m.bytes() > 1.35 GB",
        "m.half() = 5%",
        "m.third() = 0.33",
        "m.third() ≈ 0.34",
        "m.two() ≠ 2",
        "m.two() < 2",
        "m.two() > 2",
        "m.nearly() > 2",
        "m.nearly() ≠ 2",
        "2 < m.two()",
        "m.half() > m.two()",
        "m.two() = m.half()",
        "m.two() ≈ m.half() ± 75%",
        "m.two() < m.nearly()",
        "m.nearly() > m.two()",
        "m.speed() ≈ 990 TFLOP/s",
        "m.short() ≈ 2.2 ms",
        "m.count() = 7M",
        "m.minus() = 3",
        "m.nan() = 0",
        "m.nan() ≠ 0",
        "m.nan() ≈ 0 ± 1000",
        "m.nan() ≤ m.nan()",
        "m.inf() < 1",
        'm.both()["share"] = 2500%',
    ],
)
def test_a_false_comparison_fails(text: str) -> None:
    assert not verdict(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("m.bytes() = 2 s", "a value in `B` cannot be told in `s`"),
        ("m.bytes() = 50%", "a value in `B` cannot be told in `%`"),
        ("m.bytes() = 2 k", "a value in `B` cannot be told in `k`"),
        ("m.half() = 1 GB", "a value in no unit (a pure number) cannot be told in `GB`"),
        ("m.speed() = 1 TFLOP", "a value in `FLOP/s` cannot be told in `TFLOP`"),
        ("m.bytes() < m.short()", "`m.bytes()` is in B and `m.short()` in s"),
        ("m.name() = 7", "a text cannot be compared with a number"),
        ("m.both() = 7", "`m.both()` gives a dict, not one number"),
        ('m.both()["heads"] = 7', "`m.both()` has no entry `heads`"),
        ("m.two()[0] = 7", "`m.two()` has no entry `0`"),
    ],
)
def test_what_cannot_be_compared_is_told(text: str, told: str) -> None:
    with pytest.raises(Wrong) as caught:
        judge(Check(PLACE, text, parse_check(text)), facts())
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "text", ["m.two() ≈ 1e400", "m.two() < 1e999", "m.huge() > 1", "m.huge() ≈ 2", "m.huge() ≈ m.two() ± 5%"]
)
def test_numbers_beyond_all_bounds_are_no_traceback(text: str) -> None:
    with contextlib.suppress(Wrong, ExpressionError):
        judge(Check(PLACE, text, parse_check(text)), facts())


def test_a_value_alone_is_no_check() -> None:
    with pytest.raises(Wrong, match="alone it tests nothing"):
        judge(Check(PLACE, "m.two()", parse_check("m.two()")), facts())


@given(
    value=st.floats(min_value=1e-6, max_value=1e6),
    digits=st.integers(min_value=0, max_value=4),
)
@settings(max_examples=200, deadline=None)
def test_nearly_equal_means_equal_when_rounded_to_the_digits_written(value: float, digits: int) -> None:
    assume(abs(value * 10**digits % 1 - 0.5) > 0.01)  # halfway between two texts both are right
    function = Function("m.v", "verifier", "verifiers/m.py", 1, "", "", (("", "1"),), ())
    known = {"m.v()": Fact("m.v()", value, function)}
    written = f"{value:.{digits}f}"
    judge(Check(PLACE, "", parse_check(f"m.v() ≈ {written}")), known)
    other = f"{value + 1.6 * 10.0**-digits:.{digits}f}"
    with pytest.raises(Wrong):
        judge(Check(PLACE, "", parse_check(f"m.v() ≈ {other}")), known)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("m.bytes() | GiB", "1.25 GiB"),
        ('m.both()["share"] | %', "25%"),
        ("m.name()", "seven"),
        ("m.count() | B", "7B"),
    ],
)
def test_a_value_is_told_in_its_unit(text: str, shown: str) -> None:
    call, _, how = text.partition(" | ")
    claim = Value(PLACE, text, parse_operand(call), parse_format(how))
    assert value_text(claim, facts()).replace("\N{NO-BREAK SPACE}", " ") == shown


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the limit on digits came with 3.11")
def test_a_number_of_many_digits_is_refused_not_slow() -> None:
    with pytest.raises(ExpressionError):
        parse_operand(f"m.f({'9' * 5000})")
