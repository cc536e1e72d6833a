"""Independent ways to the numbers of verifiers/prompting.py."""

from __future__ import annotations

import itertools
import json
import operator
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import prompting


@witnesses("prompting.serial_layers")
@pytest.mark.parametrize(("layers", "tokens", "prompt"), [(1, 1, 1), (3, 4, 2), (6, 2, 5)])
def test_serial_depth_is_the_longest_path_of_the_computation(layers: int, tokens: int, prompt: int) -> None:
    """Cell (layer, position) needs all earlier positions of the layer below; a sampled token needs the top."""

    @cache
    def depth(layer: int, position: int) -> int:
        if layer == 0:
            return 0 if position < prompt else depth(layers, position - 1)
        return 1 + max(depth(layer - 1, earlier) for earlier in range(position + 1))

    assert prompting.serial_layers(layers, tokens) == depth(layers, prompt + tokens - 2)


@witnesses("prompting.tree_of_thoughts")
@pytest.mark.parametrize(
    ("branching", "depth", "beam"), [(5, 4, None), (3, 4, None), (5, 4, 5), (2, 3, 1), (1, 2, 9)]
)
def test_thoughts_equal_a_grown_tree(branching: int, depth: int, beam: int | None) -> None:
    level, grown = ["root"], 0
    for _ in range(depth):
        children = [f"{node}.{child}" for node in level for child in range(branching)]
        grown += len(children)
        level = children[:beam]
    assert prompting.tree_of_thoughts(branching, depth, beam) == {"leaves": len(children), "all": grown}


def reached(numbers: tuple[Fraction, ...], target: Fraction) -> bool:
    """Whether some order of the numbers, operators and brackets gives the target."""

    @cache
    def values(part: tuple[Fraction, ...]) -> frozenset[Fraction]:
        if len(part) == 1:
            return frozenset(part)
        found = set()
        for cut in range(1, len(part)):
            for a, b in itertools.product(values(part[:cut]), values(part[cut:])):
                found |= {operator.add(a, b), operator.sub(a, b), operator.mul(a, b)}
                if b:
                    found.add(a / b)
        return frozenset(found)

    return any(target in values(order) for order in itertools.permutations(numbers))


@witnesses("prompting.ways_to_reach")
def test_reachable_targets_equal_all_bracketed_formulas() -> None:
    for numbers in ((4, 5, 6, 10), (6, 1), (6, 5, 6), (1, 1, 1, 1), (3, 3, 8, 8), (0, 2), (24,), (7, 7)):
        for target in (24, 0, 1, 7, -5):
            exact = tuple(map(Fraction, numbers))
            assert bool(prompting.ways_to_reach(numbers, target)) == reached(exact, Fraction(target))


def paths(numbers: tuple[int, ...], target: int) -> int:
    """Count the ways forward, level by level: how often each remainder of numbers is come by."""
    level = Counter({tuple(sorted(map(Fraction, numbers))): 1})
    for _ in numbers[1:]:
        following: Counter[tuple[Fraction, ...]] = Counter()
        for state, ways in level.items():
            for taken in itertools.combinations(range(len(state)), 2):
                rest = [number for place, number in enumerate(state) if place not in taken]
                one, other = (state[place] for place in taken)
                outcomes = {one + other, one * other, one - other, other - one}
                outcomes |= {a / b for a, b in ((one, other), (other, one)) if b}
                for outcome in outcomes:
                    following[tuple(sorted([*rest, outcome]))] += ways
        level = following
    return level[(Fraction(target),)]


@witnesses("prompting.ways_to_reach")
@pytest.mark.parametrize(
    "numbers", [(4, 5, 6, 10), (6, 5, 6), (1, 1, 1, 1), (0, 2), (24,), (0, 0, 3), (1, 2, 7)]
)
def test_ways_equal_paths_counted_forward(numbers: tuple[int, ...]) -> None:
    for target in (24, 0, 1, -4, 7):
        assert prompting.ways_to_reach(numbers, target) == paths(numbers, target)


@witnesses("prompting.ways_to_reach")
def test_ways_of_two_and_three_numbers_by_hand() -> None:
    assert prompting.ways_to_reach((4, 6), 24) == 1
    assert prompting.ways_to_reach((2, 2), 4) == 1  # 2 + 2 = 2 · 2, one result
    assert prompting.ways_to_reach((3, 3), 0) == 1
    assert prompting.ways_to_reach((0, 5), 0) == 1
    assert prompting.ways_to_reach((6, 2), 3) == 1
    assert prompting.ways_to_reach((2, 6), 3) == 1
    # 6 · 5 − 6, with either of the sixes
    assert prompting.ways_to_reach((6, 5, 6), 24) == 2
    assert prompting.ways_to_reach((9,), 9) == 1
    assert prompting.ways_to_reach((1, 2, 3, 4, 5), 100) > 0


@witnesses("prompting.valid_share", "prompting.masking_guarantees_form")
@pytest.mark.parametrize("confidence", [0.0, 4.0, 6.0])
def test_valid_share_equals_softmax_probabilities(confidence: float) -> None:
    """A free sampler keeps the form when each of seven tokens is legal; a masked one always does."""
    legal = np.array([1, 1, 1, 1, 1, 10, 1])
    weight = legal * np.exp(confidence)
    expected = float(np.prod(weight / (weight + 18 - legal)))
    got = prompting.valid_share("free", confidence, samples=2000)
    assert got == pytest.approx(expected, abs=0.035)
    assert prompting.valid_share("masked", confidence) == 1
    default = prompting.valid_share("free", confidence)
    assert default == prompting.valid_share("free", confidence, 300, 0)


def test_the_form_is_a_json_object_of_one_integer() -> None:
    texts = ["".join(tokens) for tokens in itertools.product(*prompting.FORM)]
    assert [json.loads(text) for text in texts] == [{"a": digit} for digit in range(10)]
    assert all(re.fullmatch(r'\{"a":\d\}', text) for text in texts)
    assert set("".join(texts)) <= set(prompting.VOCABULARY)
    for text in texts:
        assert prompting._valid(text)
    for wrong in ('{"a":}', '{"b":1}', "{}", "[1]", "7", '{"a":"b"}', "{{", '{"a":[]}'):
        assert not prompting._valid(wrong)


def test_mask_check_fails_without_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    found = prompting.masking_guarantees_form()
    assert found == {"confidences": "0.0, 3.0, 6.0", "samples": 100}
    monkeypatch.setitem(prompting.MASKS, "masked", prompting.keep_all)
    with pytest.raises(AssertionError):
        prompting.masking_guarantees_form()
    with pytest.raises(AssertionError):
        prompting.masking_guarantees_form(confidences=[6.0])


@witnesses("prompting.attention_does_a_gradient_step")
def test_attention_equals_a_step_of_numerical_descent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Central differences of the squared error, and attention as a double loop."""
    rng = np.random.default_rng(5)
    weights, x, y = rng.standard_normal((2, 3)), rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    query = rng.standard_normal(3)

    def loss(w: np.ndarray) -> float:
        return 0.5 * sum(float(((w @ a - b) ** 2).sum()) for a, b in zip(x, y, strict=True))

    gradient = np.zeros((2, 3))
    for i, j in np.ndindex(2, 3):
        step = np.zeros((2, 3))
        step[i, j] = 1e-5
        gradient[i, j] = (loss(weights + step) - loss(weights - step)) / 2e-5
    expected = (weights - 0.1 * gradient) @ query
    attended = weights @ query
    for a, b in zip(x, y, strict=True):
        attended = attended + 0.1 * (b - weights @ a) * float(a @ query)
    assert attended == pytest.approx(expected, abs=1e-6)
    assert prompting.gradient_step(weights, x, y, 0.1) @ query == pytest.approx(expected, abs=1e-6)
    assert prompting.linear_attention(x, y, query, 0.5) == pytest.approx(0.5 * y.T @ x @ query)

    found = prompting.attention_does_a_gradient_step()
    assert found == {"examples": 12, "inputs": 5, "outputs": 3, "seeds": 4}
    right = prompting.linear_attention

    def soft(keys: np.ndarray, values: np.ndarray, query: np.ndarray, rate: float) -> np.ndarray:
        weight = np.exp(keys @ query)
        return rate * values.T @ (weight / weight.sum())

    for wrong in (
        soft,
        lambda k, v, q, rate: -right(k, v, q, rate),
        lambda k, v, q, rate: right(k, v, q, 0.2),
        lambda k, v, q, rate: right(k, v, q, rate) * np.array([1, 1, 1.5]),
    ):
        monkeypatch.setattr(prompting, "linear_attention", wrong)
        with pytest.raises(AssertionError):
            prompting.attention_does_a_gradient_step()
    monkeypatch.setattr(prompting, "linear_attention", lambda k, v, q, rate: np.zeros(3))
    monkeypatch.setattr(prompting, "gradient_step", lambda weights, *rest: weights)
    prompting.attention_does_a_gradient_step()
    with pytest.raises(AssertionError, match=r"differ by 0\.0"):
        prompting.attention_does_a_gradient_step(tolerance=0.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: prompting.serial_layers(0, 1),
        lambda: prompting.serial_layers(1, 0),
        lambda: prompting.tree_of_thoughts(0, 1),
        lambda: prompting.tree_of_thoughts(1, 0),
        lambda: prompting.tree_of_thoughts(2, 2, 0),
        lambda: prompting.ways_to_reach((), 24),
        lambda: prompting.ways_to_reach((4, -1), 24),
        lambda: prompting.ways_to_reach((4, 1.5), 24),
        lambda: prompting.ways_to_reach((1, 2, 3, 4, 5, 6), 24),
        lambda: prompting.valid_share("loose", 1),
        lambda: prompting.valid_share("free", -1),
        lambda: prompting.valid_share("free", 1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
