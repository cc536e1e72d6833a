"""FLOPs counted by PyTorch on real models, small ones with numbers and large ones without."""

from __future__ import annotations

from typing import Any

import pytest

from proofdeck import witnesses
from tests.witnesses import published
from verifiers import flops, models

TINY: dict[str, tuple[models.Architecture, str, dict[str, Any]]] = {
    "plain": (
        models.Architecture("plain", 3, 24, 4, 4, 6, 96, False, 50, 64, True, "none", "all"),
        "GPT2",
        {"n_layer": 3, "n_embd": 24, "n_head": 4, "n_positions": 64, "vocab_size": 50},
    ),
    "grouped": (
        models.Architecture("grouped", 2, 24, 6, 2, 10, 40, True, 50, 64, False, "none"),
        "Llama",
        {
            "num_hidden_layers": 2,
            "hidden_size": 24,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "head_dim": 10,
            "intermediate_size": 40,
            "vocab_size": 50,
        },
    ),
    "experts": (
        models.Architecture(
            *("experts", 3, 24, 4, 2, 6, 40, True, 50, 64, False, "none"),
            mixture=models.Mixture(5, 2, 40),
        ),
        "Mixtral",
        {
            "num_hidden_layers": 3,
            "hidden_size": 24,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "intermediate_size": 40,
            "vocab_size": 50,
            "num_local_experts": 5,
            "num_experts_per_tok": 2,
        },
    ),
    "latent": (
        models.Architecture(
            *("latent", 3, 24, 4, 4, 6, 40, True, 50, 64, False, "none"),
            mixture=models.Mixture(8, 3, 10, shared=2, dense_layers=1),
            latent=models.Latent(12, 4, q_rank=9),
        ),
        "DeepseekV3",
        {
            "num_hidden_layers": 3,
            "hidden_size": 24,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "intermediate_size": 40,
            "vocab_size": 50,
            "moe_intermediate_size": 10,
            "n_routed_experts": 8,
            "num_experts_per_tok": 3,
            "n_shared_experts": 2,
            "first_k_dense_replace": 1,
            "n_group": 1,
            "topk_group": 1,
            "kv_lora_rank": 12,
            "qk_rope_head_dim": 4,
            "qk_nope_head_dim": 6,
            "v_head_dim": 6,
            "q_lora_rank": 9,
        },
    ),
}


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (arch, _, _) in TINY.items():
        monkeypatch.setitem(models.TABLE, name, arch)
    windowed = models.Architecture(
        *("windowed", 5, 8, 2, 2, 4, 16, True, 10, 64, False, "none"), window=7, window_layers=3
    )
    monkeypatch.setitem(models.TABLE, "windowed", windowed)


@witnesses("flops.matmul")
def test_a_product_is_counted_by_running_through_its_loops() -> None:
    for rows, inner, columns in ((2, 3, 5), (1, 1, 1), (4, 1, 3)):
        count = 0
        for _ in range(rows * columns):
            for _ in range(inner):
                count += 2  # one multiplication, one addition to the sum
        assert flops.matmul(rows, inner, columns) == count
    for wrong in ((0, 1, 1), (1, 0, 1), (1, 1, 0), (1.0, 1, 1)):
        with pytest.raises(ValueError):
            flops.matmul(*wrong)


def seen(tokens: int, past: int, window: int = 0) -> int:
    """Count pairs of query and key one by one."""
    return sum(
        1
        for query in range(past, past + tokens)
        for key in range(query + 1)
        if not window or query - key < window
    )


SHAPES = [(1, 0), (5, 0), (9, 0), (20, 0), (1, 5), (1, 6), (1, 7), (1, 30), (4, 5), (4, 9), (20, 3)]


@pytest.mark.parametrize(("tokens", "past"), SHAPES)
def test_causal_scores_count_the_pairs_that_the_mask_leaves(tokens: int, past: int) -> None:
    width = 2 * 2 * 2 * 4  # a multiplication and an addition, scores and values, two heads, four wide
    told = flops.forward("windowed", tokens, past, causal=True)["scores"]
    assert told == width * (2 * seen(tokens, past) + 3 * seen(tokens, past, 7))
    assert isinstance(told, int)
    assert flops.forward("windowed", tokens, past)["scores"] == width * 5 * tokens * (past + tokens)
    assert flops.forward("windowed", tokens, past) == flops.forward("windowed", tokens, past, causal=False)


@witnesses("flops.growth", "flops.score_share")
def test_growth_lies_between_linear_and_quadratic() -> None:
    for name in ("plain", "windowed", "llama-2-70b"):
        for causal in (False, True):
            short, long = (flops.forward(name, n, causal=causal) for n in (16, 48))
            assert flops.growth(name, 16, 48, causal) == long["total"] / short["total"]
            assert 3 < flops.growth(name, 16, 48, causal) < 9
            assert flops.score_share(name, 48, causal) == long["scores"] / long["total"]
    assert flops.growth("plain", 16, 48) == flops.growth("plain", 16, 48, False)
    assert flops.growth("plain", 16, 48) != flops.growth("plain", 16, 48, True)
    assert flops.score_share("plain", 48) == flops.score_share("plain", 48, False)
    assert flops.score_share("plain", 48) != flops.score_share("plain", 48, True)


@witnesses("flops.layer", "flops.crossover")
def test_a_layer_of_plain_shape_follows_the_formula() -> None:
    for n, d in ((5, 8), (32, 8), (7, 12)):
        told = flops.layer(n, d, 4 * d, heads=4)
        assert told == {
            "projections": 8 * n * d**2,
            "scores": 4 * n**2 * d,
            "attention": 8 * n * d**2 + 4 * n**2 * d,
            "feed_forward": 16 * n * d**2,
            "total": 24 * n * d**2 + 4 * n**2 * d,
        }
        assert flops.layer(n, d, 4 * d) == told
        assert flops.layer(n, d + 1, 4 * d) == flops.layer(
            n, d + 1, 4 * d, heads=d + 1
        )  # one head: any width
        half = flops.layer(n, d, 4 * d, causal=True)
        assert half["scores"] == 4 * seen(n, 0) * d
        assert half["attention"] == half["projections"] + half["scores"]
        assert half["total"] == half["attention"] + half["feed_forward"]
    grouped = flops.layer(7, 24, 40, 6, 2, 5, gated=True)
    assert grouped["projections"] == 2 * 7 * 24 * 5 * (6 + 2 + 2 + 6)
    assert grouped["scores"] == 4 * 7**2 * 30
    assert grouped["feed_forward"] == 2 * 7 * 3 * 24 * 40
    for wrong in ((0, 8, 8), (1, 0, 8), (1, 8, 0), (1, 8, 8, 3)):
        with pytest.raises(ValueError):
            flops.layer(*wrong)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("projections", [False, True])
@pytest.mark.parametrize("d_ff", [48, 60])
def test_at_the_crossover_attention_costs_as_much_as_the_block(
    gated: bool, causal: bool, projections: bool, d_ff: int
) -> None:
    tokens = flops.crossover(12, d_ff, gated, causal, projections)
    assert tokens == int(tokens)
    told = flops.layer(int(tokens), 12, d_ff, gated=gated, causal=causal)
    assert told["attention" if projections else "scores"] == told["feed_forward"]


def test_the_crossover_may_not_exist() -> None:
    assert flops.crossover(12, 48) == 48 == flops.crossover(12, 48, False, False, False)
    assert flops.crossover(12, 26, projections=True) == 2
    for d_ff in (24, 20):
        with pytest.raises(ValueError, match="narrow"):
            flops.crossover(12, d_ff, projections=True)
    assert flops.crossover(1, 1) == 1
    for wrong in ((0, 1), (1, 0)):
        with pytest.raises(ValueError):
            flops.crossover(*wrong)


@witnesses("flops.model_utilisation")
def test_utilisation_is_the_models_work_over_the_peak() -> None:
    each = flops.training_per_token("llama-2-7b", 4096)
    told = flops.model_utilisation("llama-2-7b", 4096, 312e12 / each)
    assert told == pytest.approx(1, rel=1e-12)
    told = flops.model_utilisation("llama-2-7b", 4096, 1e4, devices=8, device="h100-sxm", dtype="fp8")
    assert told == pytest.approx(1e4 * each / (8 * 1978.9e12), rel=1e-12)
    masked = flops.training_per_token("llama-2-7b", 4096, causal=True)
    told = flops.model_utilisation("llama-2-7b", 4096, 1e4, causal=True)
    assert told == pytest.approx(1e4 * masked / 312e12, rel=1e-12)
    for wrong in ((0, 1), (-1, 1), (1, 0)):
        with pytest.raises(ValueError):
            flops.model_utilisation("llama-2-7b", 4096, *wrong)


@witnesses("flops.training", "flops.training_per_token", "flops.six_n_error")
def test_training_is_three_or_four_forwards() -> None:
    for name in TINY:
        once = flops.forward(name, 10, batch=2)
        assert flops.training(name, 10, batch=2) == {part: 3 * n for part, n in once.items()}
        again = flops.training(name, 10, batch=2, recompute=True)
        assert again["total"] == 4 * once["total"] - once["head"]
        assert {p: again[p] for p in ("projections", "scores", "feed_forward", "head")} == {
            p: (3 if p == "head" else 4) * once[p] for p in ("projections", "scores", "feed_forward", "head")
        }
        single = flops.forward(name, 10, causal=True)["total"]
        assert flops.training(name, 10, causal=True)["total"] == 3 * single
        assert flops.training_per_token(name, 10, causal=True) == 3 * single / 10
        assert flops.training_per_token(name, 10) == 3 * once["total"] / 20
    # PaLM's appendix: 6 N + 12 L H Q T, here with N the matrices of one token
    matrices = 6_738_415_616 - 32000 * 4096 - 65 * 4096
    assert flops.training_per_token("llama-2-7b", 4096) == 6 * matrices + 12 * 32 * 4096 * 4096
    error = (6 * matrices + 12 * 32 * 4096 * 4096) / (6 * 6_738_415_616) - 1
    assert flops.six_n_error("llama-2-7b", 4096) == pytest.approx(error, rel=1e-12)
    causal = (6 * matrices + 12 * 32 * 4096 * 4097 / 2) / (6 * 6_738_415_616) - 1
    assert flops.six_n_error("llama-2-7b", 4096, causal=True) == pytest.approx(causal, rel=1e-12)
    # of a mixture N counts what a token visits
    assert abs(flops.six_n_error("mixtral-8x7b", 1)) < 0.02


@pytest.mark.parametrize(
    "wrong", [{"tokens": 0}, {"past": -1}, {"batch": 0}, {"logits": -1}, {"logits": 6}, {"tokens": 2.0}]
)
def test_impossible_passes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        flops.forward("plain", **({"tokens": 5} | wrong))


def test_boundaries_of_a_pass_are_allowed() -> None:
    assert flops.forward("plain", 1, 0, 1, logits=0)["head"] == 0
    assert flops.forward("plain", 5, logits=5) == flops.forward("plain", 5)
    assert flops.forward("plain", 5, logits=1)["head"] == 2 * 24 * 50
    # absorbed, every pair is of rank and rotated part, then of rank again
    apart, absorbed = (flops.forward("latent", 3, 4, absorbed=flag) for flag in (False, True))
    assert apart["scores"] == 3 * 2 * 3 * 7 * 4 * (6 + 4 + 6)
    assert absorbed["scores"] == 3 * 2 * 3 * 7 * 4 * (12 + 4 + 12)
    assert {**apart, "scores": 0, "total": 0} == {**absorbed, "scores": 0, "total": 0}
    assert flops.forward("plain", 3, 4) == flops.forward("plain", 3, 4, absorbed=True)


@witnesses("flops.backward_over_forward")
@pytest.mark.parametrize("layers", [1, 2, 5])
@pytest.mark.parametrize("input_gradient", [False, True])
def test_a_backward_is_counted_by_pytorch(layers: int, input_gradient: bool) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    net = torch.nn.Sequential(*(torch.nn.Linear(16, 16, device="meta") for _ in range(layers)))
    x = torch.empty(8, 16, device="meta", requires_grad=input_gradient)
    with FlopCounterMode(display=False) as forward:
        y = net(x)
    with FlopCounterMode(display=False) as backward:
        y.sum().backward()
    told = flops.backward_over_forward(layers, input_gradient)
    assert told == backward.get_total_flops() / forward.get_total_flops()
    if layers == 1:
        assert told == flops.backward_over_forward(input_gradient=input_gradient)
        assert flops.backward_over_forward() == 2
    with pytest.raises(ValueError):
        flops.backward_over_forward(0)


def measured(kind: str, changes: dict[str, Any], tokens: int, batch: int) -> int:
    """FLOPs of a small model's forward on random tokens, by PyTorch's counter."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from torch.utils.flop_counter import FlopCounterMode

    config = getattr(transformers, f"{kind}Config")(
        **changes, attn_implementation="eager", experts_implementation="eager"
    )
    head = "LMHeadModel" if kind == "GPT2" else "ForCausalLM"
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}{head}")(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.randint(0, 50, (batch, tokens)), use_cache=False)
    return int(counter.get_total_flops())


@witnesses("flops.forward")
@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize(("tokens", "batch"), [(7, 1), (12, 3)])
def test_a_forward_of_a_small_model_is_counted_by_pytorch(name: str, tokens: int, batch: int) -> None:
    _, kind, changes = TINY[name]
    assert flops.forward(name, tokens, batch=batch)["total"] == measured(kind, changes, tokens, batch)


@witnesses("flops.forward", "flops.training")
@pytest.mark.parametrize("name", ["gpt2", "llama-2-7b", "llama-3.2-1b"])
def test_a_large_model_on_the_meta_device_is_counted_by_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    model = published.decoder(name)
    model.config._attn_implementation = "eager"
    tokens = torch.zeros(1, 64, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter:
        # a mask of its own, since the library would look into the numbers to make one
        mask = torch.zeros(1, 1, 64, 64, device="meta")
        logits = model(tokens, attention_mask=mask, use_cache=False).logits
    assert counter.get_total_flops() == flops.forward(name, 64)["total"]
    with FlopCounterMode(display=False) as backward:
        logits.sum().backward()
    assert backward.get_total_flops() == 2 * flops.forward(name, 64)["total"]
