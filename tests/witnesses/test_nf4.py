"""Witnesses of `verifiers/nf4.py`: the published table, SciPy's quantiles and clustering, modules in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import nf4

PUBLISHED = (
    # bitsandbytes, functional.py, in the order of its codes
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip


@witnesses("nf4.level")
def test_levels_are_the_published_ones() -> None:
    assert [nf4.level(code) for code in range(16)] == pytest.approx(PUBLISHED, abs=4e-7)


@witnesses("nf4.level")
def test_levels_are_quantiles_by_scipy() -> None:
    quantile = pytest.importorskip("scipy.special").ndtri
    end = 1 - (1 / (2 * 15) + 1 / (2 * 16)) / 2
    above, below = (quantile(np.linspace(end, 0.5, count + 1)[:-1]) for count in (8, 7))
    expected = sorted([*(above / above.max()), 0, *(-below / above.max())])
    assert [nf4.level(code) for code in range(16)] == pytest.approx(expected, abs=1e-12)


GRIDS = {
    "nf4": lambda: np.array([nf4.level(code) for code in range(16)]),
    "int4": lambda: np.linspace(-1, 1, 15),
    "fp4": lambda: np.array(
        sorted(
            {s * m * 2.0**e / 6 for s in (-1, 1) for e in (0, 1, 2) for m in (1, 1.5)} | {0, 1 / 12, -1 / 12}
        )
    ),
}


def brute_force(grid: Any, block: int, blocks: int, seed: int) -> tuple[Any, Any]:
    """The weights, and for each the index of the level nearest to it after scaling by its block."""
    weights = np.random.default_rng(seed).standard_normal((blocks, block))
    scaled = weights / np.abs(weights).max(1)[:, None]
    return weights, np.abs(scaled[..., None] - grid).argmin(-1)


@witnesses("nf4.sqnr", "nf4.level_use")
@pytest.mark.parametrize("name", ["nf4", "int4", "fp4"])
@pytest.mark.parametrize("block, blocks, seed", [(64, 50, 0), (16, 30, 3), (2, 1, 1)])
def test_error_and_use_by_brute_force(name: str, block: int, blocks: int, seed: int) -> None:
    grid = GRIDS[name]()
    weights, found = brute_force(grid, block, blocks, seed)
    noise = weights - grid[found] * np.abs(weights).max(1)[:, None]
    expected = -10 * np.log10((noise**2).sum() / (weights**2).sum())
    assert nf4.sqnr(name, block, blocks, seed) == pytest.approx(expected, rel=1e-9)
    shares = [np.mean(found == level) for level in range(len(grid))]
    use = nf4.level_use(name, block, blocks, seed)
    assert (use["least"], use["most"]) == (min(shares), max(shares))
    entropy = pytest.importorskip("scipy.special").entr(shares).sum()
    assert use["bits"] == pytest.approx(entropy / np.log(2))


@witnesses("nf4.sqnr", "nf4.level_use")
def test_lloyd_max_equals_clustering() -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    weights = np.random.default_rng(0).standard_normal((40, 64))
    scales = np.abs(weights).max(1)[:, None]
    start = GRIDS["nf4"]()[:, None]
    means = cluster.KMeans(16, init=start, n_init=1, max_iter=60, tol=0.0, algorithm="lloyd")
    means.fit((weights / scales).reshape(-1, 1))
    levels = means.cluster_centers_[:, 0]
    restored = scales * levels[means.labels_].reshape(weights.shape)
    expected = 10 * np.log10((weights**2).sum() / ((weights - restored) ** 2).sum())
    assert nf4.sqnr("lloyd-max", 64, 40) == pytest.approx(expected, rel=1e-6)
    counts = np.bincount(means.labels_) / weights.size
    assert nf4.level_use("lloyd-max", 64, 40)["most"] == pytest.approx(counts.max())


def test_lloyd_max_by_hand() -> None:
    samples, start = np.array([0.0, 1.0, 5.0, 6.0, 7.0]), np.array([-9.0, 1.0, 4.0])
    assert nf4.lloyd_max(samples, start, 0).tolist() == start.tolist()
    # the level that attracts no sample stays; the start is left as it was
    assert nf4.lloyd_max(samples, start, 1).tolist() == [-9, 0.5, 6]
    assert start.tolist() == [-9, 1, 4]
    # the middle level attracts 0 to 2, then 3 too
    assert nf4.lloyd_max(np.array([0.0, 1, 2, 3, 9]), np.array([-9.0, 1, 4]), 1).tolist() == [-9, 1, 6]
    assert nf4.lloyd_max(np.array([0.0, 1, 2, 3, 9]), np.array([-9.0, 1, 4]), 2).tolist() == [-9, 1.5, 9]
    scaled = nf4.normal_blocks(64, 500, 0)
    after = [nf4.lloyd_max(scaled.ravel(), GRIDS["nf4"](), rounds).tolist() for rounds in (59, 60, 61)]
    assert nf4.codebook("lloyd-max", scaled).tolist() == pytest.approx(after[1], abs=1e-12)
    assert (
        min(np.abs(np.subtract(after[0], after[1])).max(), np.abs(np.subtract(after[2], after[1])).max())
        > 1e-9
    )


@witnesses("nf4.sqnr", "nf4.level_use")
def test_defaults_are_nf4_in_2000_blocks_of_64() -> None:
    assert nf4.sqnr() == nf4.sqnr("nf4", 64, 2000, 0)
    assert nf4.level_use() == nf4.level_use("nf4", 64, 2000, 0)
    # another 16 levels that fit no better: the tails of the normal distribution decide
    assert nf4.sqnr("int4") < nf4.sqnr("fp4") < nf4.sqnr() < nf4.sqnr("lloyd-max")


@witnesses("nf4.constant_bits", "nf4.double_quantisation_saving", "nf4.storage")
@pytest.mark.parametrize("block, second, bits", [(64, 256, 8), (32, 64, 8), (128, 256, 4)])
def test_bits_are_those_of_allocated_constants(block: int, second: int, bits: int) -> None:
    torch = pytest.importorskip("torch")
    weights = 8 * block * second
    codes = torch.empty(weights * 4 // 8, dtype=torch.uint8, device="meta")
    first = torch.empty(weights // block, dtype=torch.float32, device="meta")
    narrow = torch.empty(weights // block * bits // 8, dtype=torch.uint8, device="meta")
    top = torch.empty(weights // block // second, dtype=torch.float32, device="meta")
    single, double = 8 * first.nbytes / weights, 8 * (narrow.nbytes + top.nbytes) / weights
    assert nf4.constant_bits(block, False) == single
    assert nf4.constant_bits(block, True, second, bits) == pytest.approx(double)
    assert nf4.double_quantisation_saving(block, second, bits) == pytest.approx(single - double)
    plain = nf4.storage(weights, block, double=False)
    assert plain["bytes"] == codes.nbytes + first.nbytes
    assert plain["bits"] == 4 + single and plain["ratio"] == pytest.approx(16 / (4 + single))
    if (second, bits) == (256, 8):
        assert nf4.storage(weights, block)["bytes"] == pytest.approx(
            codes.nbytes + narrow.nbytes + top.nbytes
        )


def test_defaults_are_those_of_the_paper() -> None:
    # 0.127 bits a parameter instead of 0.5, by the arithmetic of the paper's section on it
    assert nf4.constant_bits() == 8 / 64 + 32 / (64 * 256)
    assert nf4.double_quantisation_saving() == 32 / 64 - 8 / 64 - 32 / (64 * 256)
    assert nf4.storage(100)["bits"] == 4 + 8 / 64 + 32 / (64 * 256)


@witnesses("nf4.qlora_states")
def test_qlora_states_equal_modules_and_optimiser() -> None:
    torch = pytest.importorskip("torch")
    d, inner, vocab, layers, rank = 4096, 11008, 32000, 32, 8

    def linear(columns: int, rows: int) -> Any:
        return torch.nn.Linear(columns, rows, bias=False, device="meta")

    maps = [linear(d, d) for _ in range(4)] + [linear(d, inner), linear(d, inner), linear(inner, d)]
    packed = sum(layers * m.weight.numel() // 2 for m in maps)
    constants = sum(layers * m.weight.numel() // 64 * (1 + 4 / 256) for m in maps)
    others = [torch.nn.Embedding(vocab, d, device="meta"), linear(d, vocab)]
    others += [torch.nn.RMSNorm(d, device="meta") for _ in range(2 * layers + 1)]
    half = sum(p.numel() * torch.bfloat16.itemsize for module in others for p in module.parameters())
    trained = sum(layers * rank * (m.in_features + m.out_features) for m in maps)
    ours = nf4.qlora_states("llama-2-7b", rank)
    assert ours["weights"] == pytest.approx(packed + constants + half, rel=1e-12)
    # 16-bit weight and gradient, fp32 master copy and two moments
    assert ours["adapter"] == trained * (2 * torch.bfloat16.itemsize + 3 * torch.float32.itemsize)
    assert ours["total"] == ours["weights"] + ours["adapter"]
    single = nf4.qlora_states("llama-2-7b", rank, "qv", 32, double=False)
    assert single["weights"] == packed + packed / 4 + half
    assert single["adapter"] == 16 * layers * 2 * rank * 2 * d


@pytest.mark.parametrize(
    "call",
    [
        lambda: nf4.level(-1),
        lambda: nf4.level(16),
        lambda: nf4.sqnr("int5"),
        lambda: nf4.sqnr(block=1),
        lambda: nf4.sqnr(blocks=0),
        lambda: nf4.sqnr(seed=-1),
        lambda: nf4.level_use(block=0),
        lambda: nf4.constant_bits(0),
        lambda: nf4.constant_bits(64, second_block=0),
        lambda: nf4.constant_bits(64, scale_bits=0),
        lambda: nf4.double_quantisation_saving(0),
        lambda: nf4.storage(0),
        lambda: nf4.qlora_states("llama-2-7b", 0),
        lambda: nf4.qlora_states("llama-2-7b", 8, "mlp"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|unknown|cannot|at most"):
        call()
