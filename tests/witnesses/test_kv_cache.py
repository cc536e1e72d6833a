"""Independent ways to the numbers of verifiers/kv_cache.py."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import cached_attention, dtypes, kv_cache, models
from verifiers.cached_attention import attend, decode, problems

PLAIN = [name for name, arch in models.TABLE.items() if not arch.latent]
LATENT = [name for name, arch in models.TABLE.items() if arch.latent]


@witnesses("kv_cache.nbytes", "kv_cache.formula_equals_allocated_bytes")
@pytest.mark.parametrize("name", PLAIN)
def test_nbytes_equals_the_bytes_of_allocated_tensors(name: str) -> None:
    torch = pytest.importorskip("torch")
    arch = models.get(name)
    for dtype, kind in (("fp16", torch.float16), ("fp32", torch.float32), ("int8", torch.int8)):
        total = 0
        for _layer, _role in itertools.product(range(arch.layers), "kv"):
            shape = (3, arch.kv_heads, 19, arch.head_dim)
            total += torch.empty(shape, dtype=kind, device="meta").nbytes
        assert kv_cache.nbytes(name, tokens=19, dtype=dtype, batch=3) == total
        if dtype == "fp16":
            assert kv_cache.nbytes(name, 19) * 3 == total
    assert kv_cache.nbytes(name, 0) == kv_cache.nbytes(name, 1, batch=0) == 0


@witnesses("kv_cache.width", "kv_cache.grouping_saving")
def test_width_counts_elements_of_one_token_in_one_layer() -> None:
    for name in PLAIN:
        arch = models.get(name)
        assert kv_cache.width(name) == np.empty((2, arch.kv_heads, arch.head_dim)).size
        assert kv_cache.grouping_saving(name) == len(range(arch.heads)) / len(range(arch.kv_heads))
    assert kv_cache.width("llama-2-70b", 1) == 256
    assert kv_cache.grouping_saving("llama-2-70b", 1) == 64
    for name in LATENT:
        arch = models.get(name)
        assert kv_cache.width(name) == 512 + 64
        full = np.empty((2, arch.heads, arch.head_dim)).size
        assert kv_cache.width(name, arch.heads) == full
        assert kv_cache.grouping_saving(name) == pytest.approx(full / 576)


def test_formula_check_fails_for_a_formula_without_the_factor_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = kv_cache.nbytes
    monkeypatch.setattr(kv_cache, "nbytes", lambda *a, **k: right(*a, **k) // 2)
    with pytest.raises(AssertionError):
        kv_cache.formula_equals_allocated_bytes()


def test_an_error_as_large_as_the_tolerance_is_too_large() -> None:
    with pytest.raises(AssertionError, match="differs by 0"):
        kv_cache.compare_with_full(cached_attention.causal_attention, (4, 2), 12, 8, 0)
    with pytest.raises(AssertionError, match="differs by 0"):
        kv_cache.grouping_is_tied_heads((4,), tolerance=0)


def test_every_earlier_position_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    right = kv_cache.last_row
    monkeypatch.setattr(kv_cache, "last_row", lambda *given: asked.append(given) or right(*given))
    kv_cache.past_queries_are_never_read((2, 1), tokens=5)
    assert len(asked) == 2 * (1 + 4 * 3)


def test_counts_are_whole_numbers_and_a_cache_is_the_default() -> None:
    found = [
        kv_cache.per_device("llama-2-70b", 7, 4),
        kv_cache.projected_rows(7, cached=False),
        kv_cache.score_pairs(7),
        kv_cache.score_pairs(7, cached=False),
    ]
    assert all(isinstance(number, int) for number in found)
    assert kv_cache.projected_rows(7) == 7
    assert kv_cache.score_pairs(7) == 28


def test_checks_tell_what_they_tried() -> None:
    decoded = {"query_heads": 4, "kv_heads": "4, 2, 1", "tokens": 12, "tolerance": 1e-12}
    assert kv_cache.cached_decoding_equals_full_attention() == decoded
    assert kv_cache.past_queries_are_never_read() == {"query_heads": 4, "tokens": 12}
    tied = {"query_heads": 4, "kv_heads": "1, 2, 4", "tokens": 10, "tolerance": 1e-12}
    assert kv_cache.grouping_is_tied_heads() == tied
    sizes = {"models": "gpt2, llama-3-8b, mistral-7b", "tokens": "1, 17", "batch": "1, 3"}
    assert kv_cache.formula_equals_allocated_bytes() == sizes


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
    if kv_heads == 8:
        assert kv_cache.per_device("llama-2-70b", 7, devices) == elements * 2


def test_a_latent_vector_is_needed_whole_on_every_device() -> None:
    """Every head rebuilds its keys from all columns of the cached vector."""
    rng = np.random.default_rng(0)
    latents, up_keys = rng.standard_normal((5, 6)), rng.standard_normal((4, 6, 3))
    for device in range(4):
        keys = latents @ up_keys[device]
        without = [np.delete(latents, c, 1) @ np.delete(up_keys[device], c, 0) for c in range(6)]
        assert not any(np.allclose(keys, other) for other in without)
    whole = kv_cache.nbytes("deepseek-v3", 9)
    assert kv_cache.per_device("deepseek-v3", 9, 8) == whole == 61 * 576 * 9 * 2
    assert kv_cache.per_device("deepseek-v3", 9, 8, kv_heads=128) == kv_cache.nbytes("deepseek-v3", 9, 16)


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
    assert kv_cache.decode_intensity("llama-2-70b", kv_heads, "fp8") == pytest.approx(2 * intensity)


def test_intensity_of_latents_equals_counted_flops_over_tensor_bytes() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    q = torch.empty(128, 576, device="meta", dtype=torch.float16)
    cache = torch.empty(300, 576, device="meta", dtype=torch.float16)
    with FlopCounterMode(display=False) as counter:
        torch.softmax(q @ cache.T, -1) @ cache[:, :512]
    intensity = counter.get_total_flops() / cache.nbytes
    assert kv_cache.decode_intensity("deepseek-v3") == pytest.approx(intensity)
    assert kv_cache.decode_intensity("deepseek-v3", kv_heads=128) == 1.0


@witnesses("kv_cache.cached_decoding_equals_full_attention")
def test_decoding_matches_torch_and_a_cache_without_the_own_token_is_caught() -> None:
    torch = pytest.importorskip("torch")
    for q, k, v in problems((4, 2, 1), 12, 8):
        expected = torch.nn.functional.scaled_dot_product_attention(
            *(torch.from_numpy(a)[None] for a in (q, k, v)), is_causal=True, enable_gqa=True
        )[0]
        assert np.allclose(decode(q, k, v), expected.numpy(), atol=1e-12)

    def forgets_own_token(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        steps = range(q.shape[1])
        rows = [attend(q[:, t], k[:, : max(t, 1)], v[:, : max(t, 1)]) for t in steps]
        return np.stack(rows, axis=1)

    with pytest.raises(AssertionError, match="differs"):
        kv_cache.compare_with_full(forgets_own_token, (4, 2, 1), 12, 8, 1e-12)


@witnesses("kv_cache.past_queries_are_never_read")
def test_gradient_of_the_last_row_reaches_keys_and_values_but_one_query(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    q, k, v = (torch.from_numpy(a)[None].requires_grad_() for a in next(problems((4, 2, 1), 12, 8)))
    out = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    out[..., -1, :].sum().backward()
    assert torch.count_nonzero(q.grad[..., :-1, :]) == 0
    assert torch.count_nonzero(q.grad[..., -1, :]) > 0
    assert (k.grad.abs().amax(dim=(0, 1, 3)) > 0).all()
    assert (v.grad.abs().amax(dim=(0, 1, 3)) > 0).all()

    def averages_queries(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        return right(q + q.mean(axis=1, keepdims=True), k, v)

    right = kv_cache.last_row
    monkeypatch.setattr(kv_cache, "last_row", averages_queries)
    with pytest.raises(AssertionError, match="query was read"):
        kv_cache.past_queries_are_never_read()


@witnesses("kv_cache.grouping_is_tied_heads")
def test_grouped_attention_equals_torch_with_copied_heads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    q, k, v = (torch.from_numpy(a)[None] for a in list(problems((4, 2, 1), 12, 8))[1])
    attention = torch.nn.functional.scaled_dot_product_attention
    grouped = attention(q, k, v, is_causal=True, enable_gqa=True)
    copied = attention(q, k[:, [0, 0, 1, 1]], v[:, [0, 0, 1, 1]], is_causal=True)
    wrong = attention(q, k[:, [0, 1, 0, 1]], v[:, [0, 1, 0, 1]], is_causal=True)
    assert torch.allclose(grouped, copied, atol=1e-12)
    assert not torch.allclose(grouped, wrong, atol=1e-3)

    def interleaves(array: np.ndarray, repeats: int, axis: int) -> np.ndarray:
        return np.concatenate([array] * repeats, axis=axis)

    monkeypatch.setattr(cached_attention.np, "repeat", interleaves)
    with pytest.raises(AssertionError, match="differs"):
        kv_cache.grouping_is_tied_heads()


@pytest.mark.parametrize(
    "call",
    [
        lambda: kv_cache.nbytes("llama-2-70b", -1),
        lambda: kv_cache.nbytes("llama-2-70b", 1, batch=-1),
        lambda: kv_cache.nbytes("llama-2-70b", -1, batch=-1),
        lambda: kv_cache.width("llama-2-70b", 3),
        lambda: kv_cache.nbytes("llama-2-70b", 1, kv_heads=3),
        lambda: kv_cache.nbytes("llama-2-70b", 1, kv_heads=0),
        lambda: kv_cache.nbytes("llama-2-70b", 1, dtype="fp17"),
        lambda: kv_cache.per_device("llama-2-70b", 1, devices=7),
        lambda: kv_cache.per_device("llama-2-70b", 1, devices=0),
        lambda: kv_cache.per_device("llama-2-70b", 1, devices=16, kv_heads=32 * 3),
        lambda: kv_cache.per_device("gpt2", 1, devices=4, kv_heads=6),
        lambda: kv_cache.per_device("gpt2", 1, devices=6, kv_heads=4),
        lambda: kv_cache.per_device("gpt2", 1, devices=24),
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


def test_a_real_cache_holds_as_many_bytes() -> None:
    """Fill the cache that transformers gives Llama-3.2-1B, prompt and generated tokens alike."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    arch = models.get("llama-3.2-1b")
    cache = transformers.DynamicCache()
    for tokens in (7, 1, 1, 1):
        for layer in range(arch.layers):
            rows = torch.empty(2, arch.kv_heads, tokens, arch.head_dim, dtype=torch.bfloat16)
            cache.update(rows, rows.clone(), layer)
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert kv_cache.nbytes("llama-3.2-1b", 10, dtype="bf16", batch=2) == held
