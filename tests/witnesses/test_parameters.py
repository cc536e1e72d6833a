"""Parameters counted on models that transformers builds from released configurations."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from proofdeck import witnesses
from tests.witnesses import published
from verifiers import models, parameters

MATRICES = ("embedding", "attention", "feed_forward", "norm", "head")


RELEASED = {
    # elements of the released weights, each tensor counted once
    "gpt2": 124_439_808,
    "gpt2-xl": 1_557_611_200,
    "llama-2-7b": 6_738_415_616,
    "llama-2-70b": 68_976_648_192,
    "llama-3.2-1b": 1_235_814_400,
    "mixtral-8x7b": 46_702_792_704,
    "qwen2.5-7b": 7_615_616_512,
    "gemma-2-2b": 2_614_341_888,
    "deepseek-v2-lite": 15_706_484_224,
    "deepseek-v3": 671_026_404_352,
}


@witnesses("parameters.count")
@pytest.mark.parametrize("name", RELEASED)
def test_counts_are_those_of_the_released_weights(name: str) -> None:
    assert parameters.count(name) == RELEASED[name]


def part_of(name: str) -> str:
    """Tell from a parameter's name what it belongs to."""
    if "norm" in name or "ln_" in name:
        return "norm"
    if "lm_head" in name:
        return "head"
    if any(word in name for word in ("embed", "wte", "wpe")):
        return "embedding"
    return "attention" if "attn" in name else "feed_forward"


@cache
def counted(name: str) -> dict[str, int]:
    """Parameters by part of a model built on the meta device, and of all its experts together."""
    pytest.importorskip("transformers")
    model = published.decoder(name)
    found = dict.fromkeys((*MATRICES, "experts"), 0)
    for label, parameter in model.named_parameters():
        found[part_of(label)] += parameter.numel()
        if ".experts." in label:
            found["experts"] += parameter.numel()
    return found


@witnesses("parameters.count", "parameters.parts", "parameters.active")
@pytest.mark.parametrize("name", models.TABLE)
def test_every_part_equals_that_of_the_model_built_from_its_released_configuration(name: str) -> None:
    found = counted(name)
    parts = {part: found[part] for part in MATRICES}
    total = sum(parts.values())
    assert parameters.parts(name) == parts | {"total": total}
    assert parameters.count(name) == total
    # a token visits top-k of the experts, which are equally large
    config: Any = published.decoder(name).config
    experts = getattr(config, "n_routed_experts", None) or getattr(config, "num_local_experts", None)
    idle = found["experts"] * (experts - config.num_experts_per_tok) // experts if experts else 0
    assert parameters.active(name) == total - idle
    shown = parameters.parts(name, only_active=True)
    assert shown == parts | {"feed_forward": parts["feed_forward"] - idle, "total": total - idle}


@pytest.mark.parametrize(
    ("name", "billions", "places"),
    [
        # from the abstracts and tables of the papers
        ("gpt3-175b", 175, 0),
        ("llama-7b", 6.7, 1),
        ("llama-13b", 13.0, 1),
        ("llama-33b", 32.5, 1),
        ("mixtral-8x7b", 47, 0),
        ("deepseek-v2", 236, 0),
        ("deepseek-v3", 671, 0),
    ],
)
def test_counts_round_to_those_printed_in_papers(name: str, billions: float, places: int) -> None:
    assert round(parameters.count(name) / 1e9, places) == billions


@witnesses("parameters.share", "parameters.block_share")
@pytest.mark.parametrize("name", ["gpt2", "llama-3-8b", "mixtral-8x7b", "deepseek-v3"])
def test_shares_are_those_of_the_built_model(name: str) -> None:
    found = counted(name)
    total = sum(found[part] for part in MATRICES)
    for part in MATRICES:
        assert parameters.share(name, part) == found[part] / total
    both = found["embedding"] + found["head"]
    assert parameters.share(name, "embedding+head") == both / total
    assert parameters.share(name, "head+head+embedding") == both / total  # a part counts once
    blocks = found["attention"] + found["feed_forward"]
    assert parameters.block_share(name) == found["feed_forward"] / blocks
    assert parameters.block_share(name, "attention") == found["attention"] / blocks


def test_unknown_parts_and_models_are_refused() -> None:
    for part in ("ffn", "total", "embedding+", "norm+ffn"):
        with pytest.raises(ValueError, match="part of a model"):
            parameters.share("gpt2", part)
    with pytest.raises(ValueError, match="part of a block"):
        parameters.block_share("gpt2", "norm")
    for function in (parameters.count, parameters.active, parameters.parts):
        with pytest.raises(ValueError, match="unknown model"):
            function("gpt5")


LLAMA = {"layers": 3, "d_model": 48, "heads": 6, "d_ff": 100, "vocab": 77}
MIXTURE = LLAMA | {"experts": 5, "active_experts": 2}


@witnesses("parameters.decoder")
@pytest.mark.parametrize(
    "changes",
    [{}, {"kv_heads": 2}, {"head_dim": 16}, {"tied": True}, {"kv_heads": 3, "head_dim": 10, "tied": True}],
)
def test_any_dense_decoder_equals_a_llama_of_that_shape(changes: dict[str, Any]) -> None:
    pytest.importorskip("transformers")
    model = published.build(
        "LlamaConfig",
        "LlamaForCausalLM",
        {
            "num_hidden_layers": 3,
            "hidden_size": 48,
            "num_attention_heads": 6,
            "intermediate_size": 100,
            "vocab_size": 77,
            "num_key_value_heads": changes.get("kv_heads", 6),
            "head_dim": changes.get("head_dim", 8),
            "tie_word_embeddings": changes.get("tied", False),
        },
    )
    found = dict.fromkeys(MATRICES, 0)
    for label, parameter in model.named_parameters():
        found[part_of(label)] += parameter.numel()
    total = sum(found.values())
    assert parameters.decoder(**LLAMA, **changes) == found | {"total": total, "active": total}


def test_a_plain_decoder_has_two_matrices_in_a_block() -> None:
    plain, gated = (parameters.decoder(**LLAMA, gated=gated) for gated in (False, True))
    assert gated["feed_forward"] - plain["feed_forward"] == 3 * 48 * 100
    assert plain["feed_forward"] == 3 * 2 * 48 * 100


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(("shared", "dense", "d_expert"), [(0, 0, None), (2, 1, 30), (1, 3, 7), (1, 2, 100)])
def test_any_mixture_equals_a_deepseek_of_that_shape(shared: int, dense: int, d_expert: int | None) -> None:
    pytest.importorskip("transformers")
    width = 100 if d_expert is None else d_expert
    model = published.build(
        "DeepseekV3Config",
        "DeepseekV3ForCausalLM",
        {
            "num_hidden_layers": 3,
            "hidden_size": 48,
            "intermediate_size": 100,
            "moe_intermediate_size": width,
            "vocab_size": 77,
            "n_routed_experts": 5,
            "num_experts_per_tok": 2,
            "n_group": 1,
            "topk_group": 1,
            "n_shared_experts": shared,
            "first_k_dense_replace": dense,
        },
    )
    fed = sum(p.numel() for label, p in model.named_parameters() if part_of(label) == "feed_forward")
    experts = sum(p.numel() for label, p in model.named_parameters() if ".experts." in label)
    found = parameters.decoder(**MIXTURE, shared_experts=shared, dense_layers=dense, d_expert=d_expert)
    assert found["feed_forward"] == fed
    assert found["total"] - found["active"] == experts * 3 // 5


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: 0} for name in LLAMA),
        *({name: 1.5} for name in LLAMA),
        {"kv_heads": 0},
        {"kv_heads": 4},
        {"head_dim": 0},
        {"heads": 7},
        {"d_expert": 0},
        {"experts": -1},
        {"shared_experts": -1},
        {"dense_layers": -1},
        {"active_experts": 2},
        {"shared_experts": 1},
        {"dense_layers": 1},
        {"d_expert": 10},
        {"experts": 5},
        {"experts": 5, "active_experts": 6},
        {"experts": 5, "active_experts": 2, "dense_layers": 4},
    ],
)
def test_impossible_shapes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        parameters.decoder(**(LLAMA | wrong))


def test_the_smallest_shapes_are_allowed() -> None:
    smallest = dict.fromkeys(LLAMA, 1)
    assert parameters.decoder(**smallest, kv_heads=1, head_dim=1)["attention"] == 4
    every = parameters.decoder(**smallest, experts=1, active_experts=1, dense_layers=1, d_expert=1)
    assert every["feed_forward"] == 3 == every["active"] - 4 - 3 - 2


@witnesses("parameters.multi_token_prediction")
def test_a_prediction_layer_is_one_more_block_two_norms_a_projection_and_the_norm_before_the_head() -> None:
    pytest.importorskip("transformers")
    sizes = []
    for layers in (4, 5):
        model = published.build("DeepseekV3Config", "DeepseekV3ForCausalLM", {"num_hidden_layers": layers})
        sizes.append(sum(parameter.numel() for parameter in model.parameters()))
    block = sizes[1] - sizes[0]
    # enorm, hnorm, shared_head.norm, eh_proj [d, 2·d], as the release's list of weights names them
    assert parameters.multi_token_prediction("deepseek-v3") == block + 3 * 7168 + 7168 * 2 * 7168
    for name in ("llama-2-7b", "deepseek-v2"):
        with pytest.raises(ValueError, match="multi-token"):
            parameters.multi_token_prediction(name)
