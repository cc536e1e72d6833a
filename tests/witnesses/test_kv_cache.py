"""Independent ways to the numbers of verifiers/kv_cache.py."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import dtypes, kv_cache, models


@witnesses("kv_cache.nbytes", "kv_cache.formula_equals_allocated_bytes")
@pytest.mark.parametrize("name", models.TABLE)
@pytest.mark.parametrize("dtype", ["fp16", "fp32", "int8"])
def test_nbytes_equals_the_bytes_of_allocated_tensors(name: str, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    kind = {"fp16": torch.float16, "fp32": torch.float32, "int8": torch.int8}[dtype]
    arch = models.get(name)
    total = 0
    for _layer, _role in itertools.product(range(arch.layers), "kv"):
        shape = (3, arch.kv_heads, 19, arch.head_dim)
        total += torch.empty(shape, dtype=kind, device="meta").nbytes
    assert kv_cache.nbytes(name, tokens=19, dtype=dtype, batch=3) == total


def test_formula_check_fails_for_a_formula_without_the_factor_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = kv_cache.nbytes
    monkeypatch.setattr(kv_cache, "nbytes", lambda *a, **k: right(*a, **k) // 2)
    with pytest.raises(AssertionError):
        kv_cache.formula_equals_allocated_bytes()


@witnesses("kv_cache.per_token")
def test_per_token_is_the_growth_of_a_cache() -> None:
    for name in models.TABLE:
        grown = kv_cache.nbytes(name, 101) - kv_cache.nbytes(name, 100)
        assert kv_cache.per_token(name) == grown


@witnesses("kv_cache.per_device")
@pytest.mark.parametrize(("kv_heads", "devices"), [(64, 8), (8, 8), (8, 4), (1, 8), (2, 8), (8, 1)])
def test_per_device_holds_the_heads_that_its_queries_read(kv_heads: int, devices: int) -> None:
    """Assign query heads to devices and count the distinct key/value heads that each one reads."""
    group = 64 // kv_heads
    share = 64 // devices
    for device in range(devices):
        held = {query // group for query in range(device * share, (device + 1) * share)}
        elements = 2 * 80 * len(held) * 128 * 7
        assert kv_cache.per_device("llama-2-70b", 7, devices, kv_heads) == elements * 2


@witnesses("kv_cache.projected_rows", "kv_cache.score_pairs")
@pytest.mark.parametrize("tokens", [1, 2, 7, 40])
def test_work_equals_a_count_of_a_generation_loop(tokens: int) -> None:
    rows = {True: 0, False: 0}
    pairs = {True: 0, False: 0}
    for step in range(1, tokens + 1):
        rows[True] += 1
        pairs[True] += step
        rows[False] += step
        pairs[False] += sum(1 for q in range(step) for k in range(step) if k <= q)
    for cached in (True, False):
        assert kv_cache.projected_rows(tokens, cached) == rows[cached]
        assert kv_cache.score_pairs(tokens, cached) == pairs[cached]


@witnesses("kv_cache.expected_waste")
@pytest.mark.parametrize(("block", "longest"), [(16, 2048), (1, 50), (2048, 2048), (7, 100)])
def test_waste_equals_a_simulated_block_allocator(block: int, longest: int) -> None:
    """Serve requests from a free list of blocks, token by token, and count the empty slots."""
    rng = np.random.default_rng(0)
    reserved = used = 0
    for length in rng.permutation(longest) + 1:
        room = 0
        for _token in range(length):
            if room == 0:
                reserved += block
                room = block
            room -= 1
            used += 1
    assert kv_cache.expected_waste(block, longest) == pytest.approx(1 - used / reserved, rel=1e-12)


@witnesses("kv_cache.decode_intensity")
@pytest.mark.parametrize("kv_heads", [None, 64, 8, 1])
def test_intensity_equals_counted_flops_over_tensor_bytes(kv_heads: int | None) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    heads = kv_heads or 8
    q = torch.empty(heads, 64 // heads, 128, device="meta", dtype=torch.float16)
    k = torch.empty(heads, 300, 128, device="meta", dtype=torch.float16)
    v = torch.empty_like(k)
    with FlopCounterMode(display=False) as counter:
        torch.softmax(q @ k.transpose(1, 2), -1) @ v
    intensity = counter.get_total_flops() / (k.nbytes + v.nbytes)
    assert kv_cache.decode_intensity("llama-2-70b", kv_heads) == pytest.approx(intensity)


@witnesses("kv_cache.cached_decoding_equals_full_attention")
def test_decoding_matches_torch_and_a_cache_without_the_own_token_is_caught() -> None:
    torch = pytest.importorskip("torch")
    for q, k, v in kv_cache.problems():
        expected = torch.nn.functional.scaled_dot_product_attention(
            *(torch.from_numpy(a)[None] for a in (q, k, v)), is_causal=True, enable_gqa=True
        )[0]
        assert np.allclose(kv_cache.decode(q, k, v), expected.numpy(), atol=1e-12)

    def forgets_own_token(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        steps = range(q.shape[1])
        rows = [kv_cache.attend(q[:, t], k[:, : max(t, 1)], v[:, : max(t, 1)]) for t in steps]
        return np.stack(rows, axis=1)

    with pytest.raises(AssertionError, match="differs"):
        kv_cache.compare_with_full(forgets_own_token)


@witnesses("kv_cache.past_queries_are_never_read")
def test_gradient_of_the_last_row_reaches_keys_and_values_but_one_query(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    q, k, v = (torch.from_numpy(a)[None].requires_grad_() for a in next(kv_cache.problems()))
    out = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    out[..., -1, :].sum().backward()
    assert torch.count_nonzero(q.grad[..., :-1, :]) == 0
    assert torch.count_nonzero(q.grad[..., -1, :]) > 0
    assert (k.grad.abs().amax(dim=(0, 1, 3)) > 0).all()
    assert (v.grad.abs().amax(dim=(0, 1, 3)) > 0).all()

    def averages_queries(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        return kv_cache_attention(q + q.mean(axis=1, keepdims=True), k, v)

    kv_cache_attention = kv_cache.causal_attention
    monkeypatch.setattr(kv_cache, "causal_attention", averages_queries)
    with pytest.raises(AssertionError, match="query was read"):
        kv_cache.past_queries_are_never_read()


@witnesses("kv_cache.grouping_is_tied_heads")
def test_grouped_attention_equals_torch_with_copied_heads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    q, k, v = (torch.from_numpy(a)[None] for a in list(kv_cache.problems())[1])
    attention = torch.nn.functional.scaled_dot_product_attention
    grouped = attention(q, k, v, is_causal=True, enable_gqa=True)
    copied = attention(q, k[:, [0, 0, 1, 1]], v[:, [0, 0, 1, 1]], is_causal=True)
    wrong = attention(q, k[:, [0, 1, 0, 1]], v[:, [0, 1, 0, 1]], is_causal=True)
    assert torch.allclose(grouped, copied, atol=1e-12)
    assert not torch.allclose(grouped, wrong, atol=1e-3)

    def interleaves(array: np.ndarray, repeats: int, axis: int) -> np.ndarray:
        return np.concatenate([array] * repeats, axis=axis)

    monkeypatch.setattr(kv_cache.np, "repeat", interleaves)
    with pytest.raises(AssertionError, match="differs"):
        kv_cache.grouping_is_tied_heads()


@pytest.mark.parametrize(
    "call",
    [
        lambda: kv_cache.nbytes("llama-2-70b", -1),
        lambda: kv_cache.nbytes("llama-2-70b", 1, kv_heads=3),
        lambda: kv_cache.nbytes("llama-2-70b", 1, kv_heads=0),
        lambda: kv_cache.nbytes("llama-2-70b", 1, dtype="fp17"),
        lambda: kv_cache.per_device("llama-2-70b", 1, devices=7),
        lambda: kv_cache.per_device("llama-2-70b", 1, devices=0),
        lambda: kv_cache.projected_rows(0),
        lambda: kv_cache.score_pairs(-4),
        lambda: kv_cache.expected_waste(0, 10),
        lambda: dtypes.itemsize("int4"),
        lambda: dtypes.nbytes(-1, "fp16"),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


def test_an_unknown_model_is_told_its_likely_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'llama-2-70b'"):
        kv_cache.nbytes("llama2-70b", 1)


def test_widths_equal_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    names = {"fp64": "float64", "fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
    names |= {"fp8": "float8_e4m3fn"} | {n: n for n in ("int8", "uint8", "int16", "int32", "int64")}
    for name, torch_name in names.items():
        assert dtypes.itemsize(name) == getattr(torch, torch_name).itemsize
    assert dtypes.nbytes(3, "int4") == 2
