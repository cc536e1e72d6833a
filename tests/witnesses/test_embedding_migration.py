"""Independent ways to the numbers of verifiers/embedding_migration.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import embedding_migration as migration


@witnesses("embedding_migration.recall")
@pytest.mark.parametrize("stale", [0.0, 0.3, 0.5, 1.0])
def test_recall_equals_scikit_learn_neighbours_of_another_draw(stale: float) -> None:
    """Draw vectors, a rotation and the stale items anew, and search with scikit-learn."""
    neighbours = pytest.importorskip("sklearn.neighbors").NearestNeighbors
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(99)
    old = rng.standard_normal((1000, 64))
    old /= np.sqrt((old**2).sum(1))[:, None]
    new = old @ stats.ortho_group.rvs(64, random_state=1).T
    chosen = rng.permutation(1000)[: int(stale * 1000)]
    mixed = new.copy()
    mixed[chosen] = old[chosen]
    for model, own in (("old", old), ("new", new)):
        noise = rng.standard_normal((200, 64))
        asked = own[:200] + noise / np.sqrt((noise**2).sum(1))[:, None]
        near = [
            neighbours(n_neighbors=10, metric="cosine", algorithm="brute")
            .fit(corpus)
            .kneighbors(asked, return_distance=False)
            for corpus in (own, mixed)
        ]
        expected = np.mean([len({*a} & {*b}) / 10 for a, b in zip(*near, strict=True)])
        got = [migration.recall(stale, model, seed=seed) for seed in range(3)]
        assert np.mean(got) == pytest.approx(expected, abs=0.04)
        if stale in (0.0, 1.0):
            own_only = (model == "old") == (stale == 1)
            assert (min(got) == 1) == own_only
            assert own_only or max(got) < 0.05


@witnesses("embedding_migration.recall")
@pytest.mark.parametrize("stale", [0.25, 0.5, 0.9])
def test_recall_equals_a_search_of_single_vectors(stale: float) -> None:
    """The same draw, mixed and searched one vector and one query at a time."""
    for model, seed in (("new", 0), ("old", 1), ("new", 2)):
        rng = np.random.default_rng(seed)
        old = [row / np.sqrt(row @ row) for row in rng.standard_normal((20, 3))]
        turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        new = [row @ turn for row in old]
        places = rng.permutation(20).tolist()
        own = {"old": old, "new": new}[model]
        mixed = [old[i] if places[i] < stale * 20 else new[i] for i in range(20)]
        hits = 0
        for number, noise in enumerate(rng.standard_normal((12, 3))):
            asked = own[number] + noise / np.sqrt(noise @ noise)
            found, true = (
                sorted(range(20), key=lambda i, rows=rows, q=asked: -float(rows[i] @ q))[:4]
                for rows in (mixed, own)
            )
            hits += len(set(found) & set(true))
        got = migration.recall(stale, model, items=20, dims=3, k=4, queries=12, seed=seed)
        assert got == pytest.approx(hits / 48, abs=1e-12)


def test_recall_by_default_is_seeded() -> None:
    got = migration.recall(0.5)
    assert got == migration.recall(0.5, "new", 1000, 64, 10, 40, 0) != migration.recall(0.5, seed=1)
    assert migration.recall(0, items=5, k=5, queries=2, dims=3) == 1
    # with as many results as items everything is found, in whatever model
    assert migration.recall(0.5, "old", items=5, k=5, queries=2, dims=3) == 1


def test_every_query_is_an_item() -> None:
    with pytest.raises(ValueError, match="items must be at least 6"):
        migration.recall(0.5, items=5, k=2, queries=6)


def test_rotation_keeps_every_length_and_angle() -> None:
    turn = migration.rotation(7, np.random.default_rng(0))
    assert turn @ turn.T == pytest.approx(np.eye(7), abs=1e-12)


@witnesses("embedding_migration.chance_recall")
def test_chance_equals_random_draws() -> None:
    rng = np.random.default_rng(0)
    found = [len({*rng.choice(50, 10, replace=False)} & set(range(10))) / 10 for _ in range(3000)]
    assert migration.chance_recall(50, 10) == pytest.approx(np.mean(found), abs=0.01)
    assert migration.chance_recall(3, 3) == 1


@witnesses("embedding_migration.extra_bytes")
def test_bytes_equal_those_of_arrays() -> None:
    second = np.zeros((300, 768), np.float32)
    fresh = [np.zeros((20, 768), np.float32) for _ in range(7)]
    got = migration.extra_bytes(300, daily=20, days=7, dims=768)
    written = sum(array.nbytes for array in fresh)
    assert got == {"backfill": second.nbytes, "dual write": written, "extra": second.nbytes + written}
    assert migration.extra_bytes(10, 0, 0, 4, "fp16") == {"backfill": 80, "dual write": 0, "extra": 80}
    assert migration.extra_bytes(0, 1, 1, 4)["extra"] == 16


@pytest.mark.parametrize(
    "call",
    [
        lambda: migration.recall(1.1),
        lambda: migration.recall(0.5, "other"),
        lambda: migration.recall(0.5, items=9),
        lambda: migration.recall(0.5, items=5, k=6, queries=5),
        lambda: migration.recall(0.5, k=0),
        lambda: migration.recall(0.5, dims=0),
        lambda: migration.recall(0.5, queries=0),
        lambda: migration.chance_recall(9, 10),
        lambda: migration.chance_recall(9, 0),
        lambda: migration.extra_bytes(-1, 0, 0, 4),
        lambda: migration.extra_bytes(1, -1, -1, 4),
        lambda: migration.extra_bytes(1, 1, -1, 4),
        lambda: migration.extra_bytes(1, 1, 1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
