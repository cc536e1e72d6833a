"""Independent ways to the numbers of verifiers/induction.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import induction


@witnesses("induction.uniform_score", "induction.target")
@pytest.mark.parametrize("period", [2, 5, 50])
def test_scores_by_looking_for_the_last_occurrence(period: int) -> None:
    sequence = list(range(period)) * 2
    total = 0.0
    for query in range(period, 2 * period):
        last = max(i for i in range(query) if sequence[i] == sequence[query])
        assert induction.target(query, period) == last + 1
        total += 1 / len(sequence[: query + 1])
    assert induction.uniform_score(period) == pytest.approx(total / period)


def test_the_score_of_a_perfect_head_is_one() -> None:
    pattern = np.zeros((12, 12))
    for query in range(4, 12):
        pattern[query, induction.target(query, 4)] = 1
    assert induction.score_of(pattern, 4) == 1
    assert induction.score_of(np.roll(pattern, -1, axis=1), 4) == 0
    assert induction.score_of(pattern[:6], 4) == 1


def test_wrong_arguments_are_refused() -> None:
    for call in (
        lambda: induction.uniform_score(1),
        lambda: induction.target(5, 1),
        lambda: induction.target(4, 5),
        lambda: induction.target(-1, 5),
        lambda: induction.circuit(vocab=1),
        lambda: induction.circuit(period=1),
        lambda: induction.circuit(vocab=5, period=6),
        lambda: induction.circuit(sharpness=0),
        lambda: induction.circuit(sequences=0),
    ):
        with pytest.raises(ValueError):
            call()
    assert induction.target(2, 2) == 1
    with pytest.raises(ValueError, match="position must be at least 5"):
        induction.target(4, 5)


@witnesses("induction.circuit")
@pytest.mark.parametrize("ablated", [False, True])
def test_the_circuit_again_with_torch_attention(ablated: bool) -> None:
    torch = pytest.importorskip("torch")
    attend = torch.nn.functional.scaled_dot_product_attention
    rng = np.random.default_rng(0)
    vocab, period, sharpness = 20, 8, 9.0
    scores, losses = [], []
    for _ in range(5):
        ids = np.tile(rng.permutation(vocab)[:period], 2)
        tokens = torch.eye(vocab, dtype=torch.float64)[ids]
        positions = torch.eye(2 * period, dtype=torch.float64)
        # each position asks for the one before it, hard
        shifted = torch.vstack([torch.zeros(1, 2 * period), positions[:-1]]) * 1e6
        copied = attend(shifted, positions, tokens, scale=1.0)
        copied[0] = 0
        if ablated:
            copied = torch.zeros_like(copied)
        found = attend(sharpness * tokens, copied, tokens, is_causal=True, scale=1.0)
        pattern = attend(sharpness * tokens, copied, positions, is_causal=True, scale=1.0)
        logits = sharpness * found
        scores += [float(pattern[q, q - period + 1]) for q in range(period, 2 * period)]
        targets = torch.tensor(ids[period + 1 :])
        losses.append(float(torch.nn.functional.cross_entropy(logits[period : 2 * period - 1], targets)))
    ours = induction.circuit(vocab, period, sharpness, ablated, sequences=5)
    assert ours["score"] == pytest.approx(np.mean(scores), rel=1e-9)
    assert ours["loss"] == pytest.approx(np.mean(losses), rel=1e-9)


def test_the_circuit_needs_its_first_head() -> None:
    whole, broken = induction.circuit(), induction.circuit(ablated=True)
    assert whole["score"] > 0.99 and whole["loss"] < 0.01
    assert broken["score"] == pytest.approx(induction.uniform_score(24))
    assert broken["loss"] > 3.5 and broken["loss"] < math.log(48)
    assert induction.circuit(vocab=6, period=6)["score"] > 0.9
    assert induction.circuit() == induction.circuit(48, 24, 12.0, False, 16)
    assert induction.circuit(vocab=2, period=2, sequences=1)["score"] > 0.9


@pytest.mark.parametrize("ablated", [False, True])
def test_both_layers_over_all_positions_with_torch_attention(ablated: bool) -> None:
    torch = pytest.importorskip("torch")
    attend = torch.nn.functional.scaled_dot_product_attention
    tokens = np.random.default_rng(7).standard_normal((6, 4))
    ours, odds = induction.two_layers(tokens, 1.5, ablated)
    x = torch.tensor(tokens)
    copied = torch.zeros_like(x) if ablated else torch.vstack([torch.zeros_like(x[:1]), x[:-1]])
    eye = torch.eye(6, dtype=torch.float64)
    pattern = attend(1.5 * x, copied, eye, is_causal=True, scale=1.0)
    np.testing.assert_allclose(ours, pattern, rtol=1e-12)
    np.testing.assert_allclose(odds, torch.softmax(1.5 * pattern @ x, dim=-1), rtol=1e-12)


def test_sharp_circuits_do_not_overflow() -> None:
    """e to the 800 is no double: the greatest number is taken off first, in each row of logits."""
    assert induction.circuit(sharpness=800.0) == {"score": 1, "loss": 0}
    scores = np.array([[800.0, 0.0, 0.0], [800.0, 800.0, 9.0], [799.0, 800.0, 0.0]])
    expected = [[1, 0, 0], [0.5, 0.5, 0], [1 / (1 + math.e), math.e / (1 + math.e), 0]]
    np.testing.assert_allclose(induction.causal_softmax(scores), expected, atol=1e-300)


@witnesses("induction.one_layer_is_blind_to_the_token_before")
def test_scores_that_read_the_token_before_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    found = induction.one_layer_is_blind_to_the_token_before()
    assert found == {"length": 10, "width": 8, "seeds": 4}
    right = induction.scores_of_one_layer
    x, q, k = (np.random.default_rng(i).standard_normal((4, 4)) for i in range(3))
    expected = [[sum((x[i] @ q)[n] * (x[j] @ k)[n] for n in range(4)) for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(right(x, q, k), expected)
    monkeypatch.setattr(
        induction,
        "scores_of_one_layer",
        lambda x, q, k: right(x, q, k) + right(x, q, k)[:, [0, *range(len(x) - 1)]],
    )
    with pytest.raises(AssertionError, match="moved"):
        induction.one_layer_is_blind_to_the_token_before()


def test_every_key_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leak into one key only, the first or the last one watched, is enough to be caught."""
    right = induction.scores_of_one_layer
    for key in (1, 9):

        def leaking(x: np.ndarray, q: np.ndarray, k: np.ndarray, key: int = key) -> np.ndarray:  # type: ignore[type-arg]
            scores = right(x, q, k)
            scores[-1, key] += x[key - 1, 0]
            return scores

        monkeypatch.setattr(induction, "scores_of_one_layer", leaking)
        with pytest.raises(AssertionError, match="moved"):
            induction.one_layer_is_blind_to_the_token_before()
