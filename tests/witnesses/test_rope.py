"""Independent ways to the claims of verifiers/rope.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import rope

BASE = 10_000.0


def turned(x: np.ndarray, position: float, base: float = BASE) -> np.ndarray:
    """Rotate by complex multiplication, as the published Llama code does."""
    pairs = x[..., 0::2] + 1j * x[..., 1::2]
    speeds = np.array([base ** -(2 * i / x.shape[-1]) for i in range(x.shape[-1] // 2)])
    pairs = pairs * np.exp(1j * position * speeds)
    return np.stack([pairs.real, pairs.imag], axis=-1).reshape(x.shape)


def test_rotation_equals_a_complex_product() -> None:
    x = np.random.default_rng(0).standard_normal((3, 8))
    assert np.allclose(rope.rotate(x, 7, BASE), turned(x, 7), atol=1e-14)
    assert np.allclose(rope.rotate(x, -2.5, 50.0), turned(x, -2.5, 50.0), atol=1e-14)
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    assert np.allclose(rope.rotate_halves(x[:, order], 7, BASE), turned(x, 7)[:, order], atol=1e-14)


@witnesses("rope.aligned_score")
@pytest.mark.parametrize("distance", [0, 3, 200])
def test_aligned_score_equals_the_mean_over_many_vectors(distance: int) -> None:
    q = np.random.default_rng(1).standard_normal((200_000, 8))
    scores = (q * turned(q, distance)).reshape(-1, 4, 2).sum(axis=2).mean(axis=0) / 2
    assert rope.aligned_score(distance, 8) == pytest.approx(scores.mean(), abs=0.01)
    assert rope.aligned_score(distance, 8, BASE, 0, 1) == pytest.approx(scores[0], abs=0.01)
    assert rope.aligned_score(distance, 8, BASE, 2) == pytest.approx(scores[2:].mean(), abs=0.01)
    assert rope.aligned_score(distance, 8, BASE, 3, 4) == pytest.approx(scores[3], abs=0.01)
    assert rope.aligned_score(-distance, 8) == rope.aligned_score(distance, 8)
    assert rope.aligned_score(distance, 8, 50.0) == pytest.approx(
        (q * turned(q, distance, 50.0)).sum(axis=1).mean() / 8, abs=0.01
    )


@witnesses("rope.random_score_std")
@pytest.mark.parametrize("distance", [0, 10, 4000])
def test_scores_of_independent_vectors_spread_as_much_at_any_distance(
    distance: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rope.random_score_std(-distance, 16) == pytest.approx(1)
    q, k = np.random.default_rng(2).standard_normal((2, 100_000, 16))
    simulated = ((q * turned(k, distance)).sum(axis=1) / 4).std()
    assert rope.random_score_std(distance, 16) == pytest.approx(simulated, abs=0.01)
    monkeypatch.setattr(rope, "rotate", lambda x, position, base: np.arange(base, base + 16).reshape(4, 4))
    expected = np.sqrt(sum((BASE + i) ** 2 for i in range(16)) / 4)
    assert rope.random_score_std(distance, 4) == pytest.approx(expected, rel=1e-12)


@witnesses("rope.favourite_distance")
@pytest.mark.parametrize("offset", [0, 3, 50])
def test_key_turned_back_is_liked_best_at_its_own_distance(offset: int) -> None:
    """Many queries with themselves turned back: the mean score is largest where the turn is made up for."""
    q = np.random.default_rng(3).standard_normal((200, 32))
    keys = turned(q, -offset)
    means = [float((turned(q, 100) * turned(keys, 100 + k)).sum(axis=1).mean()) for k in range(61)]
    assert rope.favourite_distance(offset, 32, 60) == int(np.argmax(means)) == offset
    assert rope.favourite_distance(offset, 32, 60, 50.0) == offset


def test_favourite_lies_within_reach() -> None:
    assert rope.favourite_distance(5, 32, 5) == 5
    assert rope.favourite_distance(5, 32, 4) == 4
    assert rope.favourite_distance(-7, 8, 1) == 0


def test_base_is_ten_thousand_unless_told_otherwise() -> None:
    assert (
        rope.aligned_score(50, 16)
        == rope.aligned_score(50, 16, BASE, 0, 8)
        != rope.aligned_score(50, 16, 2e4)
    )
    found = [rope.favourite_distance(-50, 8, 25, base) for base in (BASE, 1.5 * BASE)]
    assert rope.favourite_distance(-50, 8, 25) == found[0] != found[1]


@witnesses("rope.rotation_keeps_lengths")
def test_rotation_matrix_is_orthogonal(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = turned(np.eye(8), 123)
    assert np.allclose(matrix @ matrix.T, np.eye(8), atol=1e-14)
    assert np.allclose(rope.rotate(np.eye(8), 123, BASE), matrix, atol=1e-14)
    tried = rope.rotation_keeps_lengths(width=4, positions=(1, 2))
    assert tried == {"width": 4, "positions": "1, 2", "tolerance": 1e-12}
    monkeypatch.setattr(rope, "rotate", lambda x, position, base: x * (1 + 1e-9 * position))
    with pytest.raises(AssertionError, match="the length at 1 is off"):
        rope.rotation_keeps_lengths()


@pytest.mark.parametrize(
    "call",
    [
        lambda: rope.aligned_score(1, 7),
        lambda: rope.aligned_score(1, 8, first=-1),
        lambda: rope.aligned_score(1, 8, first=4),
        lambda: rope.aligned_score(1, 8, first=2, last=2),
        lambda: rope.aligned_score(1, 8, last=5),
        lambda: rope.aligned_score(1, 8, last=-1),
        lambda: rope.aligned_score(1, 8, last=True),
        lambda: rope.aligned_score(1, 8, last="all"),  # type: ignore[arg-type]
        lambda: rope.aligned_score(1, 8, first=0.0),  # type: ignore[arg-type]
        lambda: rope.aligned_score(np.inf, 8),
        lambda: rope.random_score_std(1, 0),
        lambda: rope.random_score_std(1, 8.0),  # type: ignore[arg-type]
        lambda: rope.random_score_std(np.inf, 8),
        lambda: rope.favourite_distance(np.nan, 8, 1),
        lambda: rope.favourite_distance(1, 8, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


@witnesses("rope.scores_depend_on_distance_only")
def test_real_rotary_embedding_gives_scores_by_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    from transformers.models.llama import modeling_llama

    config = transformers.LlamaConfig(hidden_size=16, num_attention_heads=1)
    embedding = modeling_llama.LlamaRotaryEmbedding(config)
    q, k = torch.randn(2, 1, 1, 1, 16, generator=torch.Generator().manual_seed(0))

    def score(m: int, n: int) -> float:
        turned = []
        for x, place in ((q, m), (k, n)):
            cosine, sine = embedding(x, torch.tensor([[place]]))
            turned.append(modeling_llama.apply_rotary_pos_emb(x, x, cosine, sine)[0])
        return (turned[0] * turned[1]).sum().item()

    assert score(10, 3) == pytest.approx(score(57, 50), abs=1e-4)
    assert score(10, 3) != pytest.approx(score(3, 10), abs=1e-1)
    tried = rope.scores_depend_on_distance_only(width=4, positions=((1, 2),), shifts=(3, 4))
    assert tried == {"width": 4, "shifts": "3, 4", "pairs": 1, "tolerance": 1e-10}
    right, used = rope.rotate, []

    def spy(x: np.ndarray, position: float, base: float) -> np.ndarray:
        used.append(position)
        return right(x, position, base)

    monkeypatch.setattr(rope, "rotate", spy)
    rope.scores_depend_on_distance_only(positions=((5, 2),), shifts=(7,))
    assert used == [-3, 5, 2, 12, 9]

    def absolute(x: np.ndarray, position: float, base: float) -> np.ndarray:
        return x + position * 1e-6

    monkeypatch.setattr(rope, "rotate", absolute)
    with pytest.raises(AssertionError, match="the score at 5 and 2"):
        rope.scores_depend_on_distance_only()


@witnesses("rope.layouts_differ_by_a_permutation")
def test_transformers_turns_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    from transformers.models.llama import modeling_llama

    config = transformers.LlamaConfig(hidden_size=16, num_attention_heads=1)
    x = torch.randn(1, 1, 1, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cosine, sine = modeling_llama.LlamaRotaryEmbedding(config)(x, torch.tensor([[21]]))
    theirs = modeling_llama.apply_rotary_pos_emb(x, x, cosine, sine)[0][0, 0, 0].numpy()
    assert np.allclose(rope.rotate_halves(x[0, 0, 0].numpy(), 21, BASE), theirs, atol=1e-5)
    tried = rope.layouts_differ_by_a_permutation(width=4, positions=(1, 2))
    assert tried == {"width": 4, "positions": "1, 2", "tolerance": 1e-12}
    right, halves = rope.rotate, rope.rotate_halves
    monkeypatch.setattr(rope, "rotate_halves", right)
    with pytest.raises(AssertionError, match="the other layout"):
        rope.layouts_differ_by_a_permutation()
    order = np.arange(64).reshape(-1, 2).T.ravel()
    back = np.argsort(order)
    monkeypatch.setattr(rope, "rotate_halves", lambda x, p, base: halves(x, -p, base))
    monkeypatch.setattr(rope, "rotate", lambda x, p, base: halves(x[order], -p, base)[back])
    with pytest.raises(AssertionError, match="the complex product"):
        rope.layouts_differ_by_a_permutation()
