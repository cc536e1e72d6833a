"""Independent ways to the claims of verifiers/attention_rank.py."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import attention_rank


def exact_rank(rows: list[list[int]]) -> int:
    """Rank by elimination in fractions."""
    matrix = [[Fraction(entry) for entry in row] for row in rows]
    rank = 0
    for column in range(len(matrix[0])):
        pivot = next((i for i in range(rank, len(matrix)) if matrix[i][column]), None)
        if pivot is None:
            continue
        matrix[rank], matrix[pivot] = matrix[pivot], matrix[rank]
        for i in range(rank + 1, len(matrix)):
            factor = matrix[i][column] / matrix[rank][column]
            matrix[i] = [a - factor * b for a, b in zip(matrix[i], matrix[rank], strict=True)]
        rank += 1
    return rank


@witnesses("attention_rank.score_rank")
@pytest.mark.parametrize(("d_k", "queries", "keys"), [(1, 6, 6), (3, 7, 5), (4, 3, 8), (9, 8, 2)])
def test_rank_equals_that_of_random_whole_numbers(d_k: int, queries: int, keys: int) -> None:
    rng = np.random.default_rng(d_k)
    q, k = rng.integers(-50, 50, (queries, d_k)), rng.integers(-50, 50, (keys, d_k))
    assert attention_rank.score_rank(d_k, queries, keys) == exact_rank((q @ k.T).tolist())
    assert attention_rank.scores(q, k).tolist() == (q @ k.T).tolist()


@witnesses("attention_rank.one_component_knows_two_keys")
def test_powers_of_two_as_weights_are_of_full_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores log 2 · q · k make weights in proportion to 2^(q · k): whole numbers, a Vandermonde matrix."""
    q, k = [-3, -1, 2, 4, 5], [-4, 0, 1, 3, 6]
    assert exact_rank([[a * b for b in k] for a in q]) == 1
    assert exact_rank([[2 ** (a * b + 24) for b in k] for a in q]) == 5
    assert {max(k, key=lambda b: a * b) for a in q} == {-4, 6}
    tried = attention_rank.one_component_knows_two_keys(queries=4, keys=5, seeds=2)
    assert tried == {"queries": 4, "keys": 5, "seeds": 2}
    right = attention_rank.scores
    monkeypatch.setattr(attention_rank, "scores", lambda q, k: np.abs(q) @ (k**2).T)
    attention_rank.one_component_knows_two_keys(threshold=1e-14)
    monkeypatch.setattr(attention_rank, "scores", lambda q, k: -np.abs(q - k.T))
    with pytest.raises(AssertionError, match="rank one"):
        attention_rank.one_component_knows_two_keys()
    monkeypatch.setattr(attention_rank, "scores", lambda q, k: np.roll(right(q, k), 1, axis=1))
    with pytest.raises(AssertionError, match="middle key"):
        attention_rank.one_component_knows_two_keys()
    monkeypatch.undo()
    monkeypatch.setattr(attention_rank, "softmax", lambda scores: scores)
    with pytest.raises(AssertionError, match="of rank 1"):
        attention_rank.one_component_knows_two_keys()


@witnesses("attention_rank.outputs_are_averages_of_values")
def test_outputs_of_torch_stay_within_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(1, 10, 64, generator=generator), torch.randn(1, 12, 64, generator=generator)
    v = torch.randn(1, 12, 32, generator=generator)
    output = torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=1.0)
    assert np.allclose(
        attention_rank.attend(q[0].numpy(), k[0].numpy(), v[0].numpy())[1], output[0], atol=1e-5
    )
    assert output.shape == (1, 10, 32)
    assert (output <= v.amax(1) + 1e-6).all() and (output >= v.amin(1) - 1e-6).all()
    tried = attention_rank.outputs_are_averages_of_values(shapes=((2, 3, 4, 5),))
    assert tried == {"queries, keys, d_k, d_v": "2x3x4x5", "tolerance": 1e-12}
    right = attention_rank.attend
    chosen = np.eye(10)[:, :10]
    monkeypatch.setattr(attention_rank, "attend", lambda q, k, v: (chosen, chosen @ v))
    attention_rank.outputs_are_averages_of_values(shapes=((10, 10, 3, 4),))
    shift = np.eye(64)[0] - np.eye(64)[1]
    broken = {
        "shape": lambda w, o: (w, o[:, :1]),
        "negative": lambda w, o: (w + shift[: w.shape[1]], o),
        "row sum": lambda w, o: (1.01 * w, o),
        "range": lambda w, o: (w, o + 10),
    }
    for message, change in broken.items():
        monkeypatch.setattr(attention_rank, "attend", lambda *qkv, change=change: change(*right(*qkv)))
        with pytest.raises(AssertionError, match=message):
            attention_rank.outputs_are_averages_of_values()


@pytest.mark.parametrize("arguments", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_wrong_arguments_are_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError):
        attention_rank.score_rank(*arguments)
