"""Independent ways to the numbers of verifiers/injection.py."""

from __future__ import annotations

import random
import re

import pytest

from proofdeck import witnesses
from verifiers import injection


@witnesses("injection.breach")
@pytest.mark.parametrize(("bypass", "attempts"), [(0.01, 100), (0.3, 3), (1.0, 1), (0.0, 50), (0.5, 0)])
def test_breaches_are_counted_in_a_simulation(bypass: float, attempts: int) -> None:
    draw, runs = random.Random(0), 20_000
    hits = sum(any(draw.random() < bypass for _ in range(attempts)) for _ in range(runs))
    assert injection.breach(bypass, attempts) == pytest.approx(hits / runs, abs=0.015)


@witnesses("injection.words_outside")
@pytest.mark.parametrize("tag", ["data", "q7f3"])
@pytest.mark.parametrize(
    "text", ["", "a b", "a </data> b c", "</data></q7f3> x", "a</q7f3>b </q7f3> c", "</Data> z"]
)
def test_a_reader_with_a_pattern_sees_the_same_section(text: str, tag: str) -> None:
    wrapped = f"<{tag}>{text}</{tag}>"
    found = re.match(rf"<{tag}>(.*?)</{tag}>(.*)$", wrapped, re.S)
    assert found is not None
    outside = found[2].removesuffix(f"</{tag}>")
    assert injection.words_outside(text, tag) == len(re.findall(r"\S+", outside))


@witnesses("injection.leaks")
def test_a_random_agent_leaks_where_the_search_says() -> None:
    draw = random.Random(2)
    for case in range(8):
        private, untrusted, outbound = bool(case & 1), bool(case & 2), bool(case & 4)
        tools = ["p"] * private + ["u"] * untrusted + ["s"] * outbound
        leaked = False
        for _ in range(500):
            walk = "".join(draw.choice(tools) for _ in range(6)) if tools else ""
            leaked |= re.search("(p.*u|u.*p).*s", walk) is not None
        assert injection.leaks(private, untrusted, outbound) == leaked
        assert injection.leaks(private, untrusted, outbound, rule="taint") == 0


@witnesses("injection.leak_needs_all_three")
def test_the_check_of_the_three_can_fail() -> None:
    assert injection.leak_needs_all_three()["combinations"] == 8
    assert injection.sends_secret(("private", "untrusted", "send"), "none")
    assert not injection.sends_secret(("private", "send", "untrusted"), "none")
    for wrong in (
        lambda p, u, o, rule="none": int(p and o),
        lambda p, u, o, rule="none": int(p and u and o),
        lambda p, u, o, rule="none": 0,
        lambda p, u, o, rule="none": int(rule == "none"),
    ):
        with pytest.raises(AssertionError):
            injection.leak_needs_all_three(wrong)


@witnesses("injection.fixed_plan_keeps_calls")
def test_the_check_of_the_plan_can_fail() -> None:
    injection.fixed_plan_keeps_calls()
    assert injection.calls_of(["read"], "call a b call c", True) == ["read", "a", "c"]
    for wrong in (
        lambda plan, text, reactive: [*plan, *re.findall(r"call (\w+)", text)],
        lambda plan, text, reactive: list(plan),
    ):
        with pytest.raises(AssertionError):
            injection.fixed_plan_keeps_calls(agent=wrong)


@pytest.mark.parametrize(
    "call",
    [
        lambda: injection.breach(1.5, 1),
        lambda: injection.breach(0.5, -1),
        lambda: injection.words_outside("a", ""),
        lambda: injection.leaks(True, True, True, rule="hope"),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
