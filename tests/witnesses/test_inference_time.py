"""Independent ways to the numbers of verifiers/inference_time.py: small real models, run and counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import hardware, inference_time, kv_cache, models
from verifiers.models import Architecture, Mixture

LAYERS, WIDTH, HEADS, GROUPS, HEAD, INNER, VOCAB = 3, 64, 4, 2, 16, 96, 50
TINY = Architecture("tiny", LAYERS, WIDTH, HEADS, GROUPS, HEAD, INNER, True, VOCAB, 128, False, "definition")
H100 = {
    "peak": hardware.peak("h100-sxm"),
    "fp8": hardware.peak("h100-sxm", "fp8"),
    "bandwidth": hardware.bandwidth("h100-sxm"),
}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models.TABLE, "tiny", TINY)
    monkeypatch.setitem(models.TABLE, "tied", replace(TINY, name="tied", tied=True))
    monkeypatch.setitem(models.TABLE, "short", replace(TINY, name="short", window=4, window_layers=2))
    mixture = replace(TINY, name="mixture", mixture=Mixture(8, 2, 40, dense_layers=1))
    monkeypatch.setitem(models.TABLE, "mixture", mixture)


def llama() -> Any:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=GROUPS,
            head_dim=HEAD,
            intermediate_size=INNER,
            vocab_size=VOCAB,
            attn_implementation="eager",
        )
    ).eval()


def count(model: Any, batch: int, past: int, tokens: int) -> tuple[int, Any]:
    """Return FLOPs of a pass over new tokens behind cached ones, and the cache after it."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import DynamicCache

    cache = DynamicCache()
    with torch.no_grad():
        if past:
            model(torch.zeros(batch, past, dtype=torch.long), past_key_values=cache)
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(batch, tokens, dtype=torch.long), past_key_values=cache, logits_to_keep=1)
    return counter.get_total_flops(), cache


@pytest.mark.usefixtures("tiny")
def test_a_tied_table_is_read_as_the_head_and_windows_end_the_cache() -> None:
    assert inference_time.weights_read("tied") == inference_time.weights_read("tiny")
    rows = 1 * 20 + 2 * 4
    assert inference_time.cache_bytes("short", 20, "fp16") == rows * 2 * GROUPS * HEAD * 2
    assert inference_time.decode_step("short", 3, 20, "l4")["cache"] == 3 * rows * 2 * GROUPS * HEAD * 2
    assert inference_time.cache_bytes("tiny", 20, "int8") == LAYERS * 20 * 2 * GROUPS * HEAD


@witnesses("inference_time.distinct_experts")
@pytest.mark.parametrize("tokens", [1, 3, 20])
def test_experts_visited_by_random_routing(tokens: int) -> None:
    rng = np.random.default_rng(tokens)
    visited = [
        len({expert for _ in range(tokens) for expert in rng.permutation(8)[:2].tolist()})
        for _ in range(4000)
    ]
    assert inference_time.distinct_experts(8, 2, tokens) == pytest.approx(np.mean(visited), rel=0.02)
    assert inference_time.distinct_experts(3, 3, tokens) == 3


@pytest.mark.usefixtures("tiny")
def test_a_mixture_reads_the_experts_visited() -> None:
    """Sum the matrices by hand: two layers with a router and experts of three matrices, one dense layer."""
    expert = 3 * WIDTH * 40
    dense = inference_time.weights_read("tiny") / 2 - 2 * 3 * WIDTH * INNER
    for tokens in (1, 7):
        visited = 8 * (1 - 0.75**tokens)
        read = dense + 2 * (WIDTH * 8 + visited * expert)
        assert inference_time.weights_read("mixture", tokens) == pytest.approx(2 * read)
    assert inference_time.weights_read("mixture") == inference_time.weights_read("mixture", 1)


@witnesses("inference_time.compute_bound_batch")
@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", ["tiny", "mixture"])
def test_the_next_smaller_batch_is_bound_by_memory(name: str) -> None:
    for weight_dtype in (None, "int4"):
        found = inference_time.compute_bound_batch(name, 0, "a100-80gb", weight_dtype=weight_dtype)
        limits = [
            inference_time.decode_step(name, batch, 0, "a100-80gb", weight_dtype=weight_dtype)["limit"]
            for batch in (1, found - 1, found, 2 * found)
        ]
        assert limits == ["memory", "memory", "compute", "compute"]
    assert inference_time.compute_bound_batch(name, 0, "a100-80gb") == inference_time.compute_bound_batch(
        name, 0, "a100-80gb", "bf16", "bf16"
    )


def test_a_batch_of_one_can_be_bound_by_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        inference_time, "decode_step", lambda *_: {"flops": 1e12, "cache": 1.0, "limit": "compute"}
    )
    assert inference_time.compute_bound_batch("llama-3-8b", 1, "l4") == 1


def test_long_caches_keep_decoding_bound_by_memory() -> None:
    assert inference_time.compute_bound_batch("llama-3-8b", 32768, "h100-sxm") == 0
    for batch in (1, 10, 10_000, 10**7):
        assert inference_time.decode_step("llama-3-8b", batch, 32768, "h100-sxm")["limit"] == "memory"
    assert 300 < inference_time.compute_bound_batch("llama-3-8b", 100, "h100-sxm") < 500


@witnesses("inference_time.cache_tokens", "inference_time.requests_within")
def test_no_more_tokens_fit_than_the_memory_left_holds() -> None:
    each = 2 * 80 * 8 * 128 * 2
    for weights, devices, usable in ((140e9, 2, 0.92), (10e9, 1, 1.0)):
        found = inference_time.cache_tokens("llama-2-70b", "h100-sxm", devices, usable, weight_bytes=weights)
        assert weights + found * each <= devices * 80e9 * usable < weights + (found + 1) * each
        many = inference_time.requests_within(
            "llama-2-70b", 4096, "h100-sxm", devices, usable, weight_bytes=weights
        )
        assert many == found / 4096
    # 80e9 * 0.41 is less than 32.8e9 in floating point
    exact = {"usable": 0.41, "weight_bytes": 32_800_000_000 - each}
    assert inference_time.cache_tokens("llama-2-70b", "h100-sxm", **exact) == 1
    assert inference_time.cache_tokens("llama-2-70b", "h100-sxm") == 0
    default = inference_time.cache_tokens("llama-3-8b", "h100-sxm", 1, 1.0, "bf16", 8030261248 * 2, "bf16")
    assert inference_time.cache_tokens("llama-3-8b", "h100-sxm") == default
    assert inference_time.requests_within("llama-3-8b", 1, "h100-sxm") == default
    wide = inference_time.cache_tokens("llama-3-8b", "h100-sxm", 1, 1.0, "int8", None, "fp16")
    assert wide == (80e9 - 8030261248) // kv_cache.per_token("llama-3-8b")
    assert inference_time.requests_within("llama-3-8b", 1, "h100-sxm", 1, 1.0, "int8", None, "fp16") == wide
    assert inference_time.cache_tokens("llama-2-70b", "h100-sxm", 1, 1.0, weight_bytes=0) == 80e9 // each


@witnesses("inference_time.transfer_time", "inference_time.tokens_processed")
def test_rows_processed_equal_those_of_a_generation_loop() -> None:
    for prompt, generated in ((1, 1), (7, 3), (3, 10)):
        once = again = held = 0
        for step in range(generated):
            once += prompt + step - held
            held = prompt + step
            again += prompt + step
        assert inference_time.tokens_processed(prompt, generated) == once
        assert inference_time.tokens_processed(prompt, generated, False) == again
    moved = np.empty((2, 80, 8, 100, 128), np.float16).nbytes
    assert inference_time.transfer_time("llama-2-70b", 100, 5e9) == pytest.approx(moved / 5e9)
    assert inference_time.transfer_time("llama-2-70b", 100, 5e9, 64, "fp8") == pytest.approx(4 * moved / 5e9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: inference_time.distinct_experts(1, 2, 1),
        lambda: inference_time.distinct_experts(1, 0, 1),
        lambda: inference_time.distinct_experts(1, 1, 0),
        lambda: inference_time.weights_read("llama-3-8b", 0),
        lambda: inference_time.prefill_time("llama-3-8b", 0, "l4"),
        lambda: inference_time.decode_step("llama-3-8b", 0, 1, "l4"),
        lambda: inference_time.cache_tokens("llama-3-8b", "l4", 0),
        lambda: inference_time.cache_tokens("llama-3-8b", "l4", 1, 1.1),
        lambda: inference_time.cache_tokens("llama-3-8b", "l4", weight_bytes=-1),
        lambda: inference_time.requests_within("llama-3-8b", 0, "l4"),
        lambda: inference_time.requests_as_large_as_weights("llama-3-8b", 0),
        lambda: inference_time.transfer_time("llama-3-8b", 1, 0),
        lambda: inference_time.tokens_processed(0, 1),
        lambda: inference_time.tokens_processed(1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


@witnesses("inference_time.prefill_time", "inference_time.prefill_growth")
@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("tokens", [1, 24])
def test_prefill_takes_the_flops_of_a_real_pass_less_the_masked_pairs(tokens: int) -> None:
    flops, _ = count(llama(), 1, 0, tokens)
    pair = 4 * HEADS * HEAD * LAYERS
    masked = tokens**2 - tokens * (tokens + 1) // 2
    work = flops - pair * masked
    assert inference_time.prefill_time("tiny", tokens, "h100-sxm") == pytest.approx(work / H100["peak"])
    split = inference_time.prefill_time("tiny", tokens, "h100-sxm", "fp8", 4, 0.5)
    assert split == pytest.approx(work / H100["fp8"] / 2)
    alone = work - pair * tokens * (tokens + 1) // 2
    assert inference_time.prefill_growth("tiny", tokens) == pytest.approx(work / alone)


@witnesses("inference_time.weights_read", "inference_time.decode_step")
@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(("batch", "context"), [(1, 9), (5, 30)])
def test_a_decode_step_reads_and_computes_what_a_real_one_does(batch: int, context: int) -> None:
    model = llama()
    flops, cache = count(model, batch, context, 1)
    weights = sum(p.numel() for name, p in model.named_parameters() if "embed_tokens" not in name)
    # what the step itself appends is in registers already
    held = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    held = held * context // (context + 1)
    assert inference_time.weights_read("tiny", batch) == 2 * weights
    assert inference_time.weights_read("tiny", dtype="int4") == weights / 2
    found = inference_time.decode_step("tiny", batch, context, "h100-sxm", 2)
    assert found["weights"] == 2 * weights
    assert found["cache"] == 2 * held
    assert found["flops"] == flops
    assert found["memory"] == pytest.approx(2 * (weights + held) / (2 * H100["bandwidth"]))
    assert found["compute"] == pytest.approx(flops / (2 * H100["peak"]))
    assert found["time"] == max(found["memory"], found["compute"])
    assert found["limit"] == "memory"
    assert found["rate"] == pytest.approx(batch / found["time"])
    assert found["rate_each"] == pytest.approx(1 / found["time"])
    mixed = inference_time.decode_step("tiny", batch, context, "h100-sxm", 1, "fp8", "int4", "fp32")
    assert mixed["weights"] == weights / 2
    assert mixed["cache"] == 4 * held
    assert mixed["compute"] == pytest.approx(flops / H100["fp8"])
    assert mixed["memory"] == pytest.approx((weights / 2 + 4 * held) / H100["bandwidth"])
    single = inference_time.decode_step("tiny", batch, context, "h100-sxm", 1, "bf16", "bf16", "bf16")
    assert inference_time.decode_step("tiny", batch, context, "h100-sxm") == single


@witnesses("inference_time.requests_as_large_as_weights")
@pytest.mark.usefixtures("tiny")
def test_caches_of_so_many_requests_weigh_as_much_as_the_model() -> None:
    model = llama()
    _, cache = count(model, 1, 0, 10)
    weights = sum(p.nbytes for p in model.parameters())
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert inference_time.requests_as_large_as_weights("tiny", 10) == pytest.approx(weights / held)
    assert inference_time.requests_as_large_as_weights("tiny", 10, "int4") == pytest.approx(weights / held)
