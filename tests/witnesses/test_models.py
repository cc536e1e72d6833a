"""The table of decoders against released configurations, written down a second time."""

from __future__ import annotations

import pytest

from tests.witnesses import published
from verifiers import models

RENAMED = {
    "n_layer": "num_hidden_layers",
    "n_embd": "hidden_size",
    "n_head": "num_attention_heads",
    "n_positions": "max_position_embeddings",
}


@pytest.mark.parametrize("name", models.TABLE)
def test_every_number_is_that_of_the_released_configuration(name: str) -> None:
    kind, told = published.DECODERS[name]
    config = {RENAMED.get(key, key): value for key, value in told.items()}
    m, heads, width = models.get(name), config["num_attention_heads"], config["hidden_size"]
    assert (m.name, m.layers, m.d_model, m.heads) == (name, config["num_hidden_layers"], width, heads)
    assert (m.vocab, m.tied) == (config["vocab_size"], config.get("tie_word_embeddings", False))
    assert [context for context, names in published.CONTEXT.items() if name in names] == [m.context]
    if kind == "GPT2":
        assert (m.kv_heads, m.head_dim, m.d_ff) == (heads, width // heads, 4 * width)
        assert (m.gated, m.biases, m.learned_positions, m.norm_bias) == (False, "all", True, True)
        assert m.context == config["max_position_embeddings"]
    else:
        assert (m.kv_heads, m.d_ff) == (config["num_key_value_heads"], config["intermediate_size"])
        assert m.gated is True and m.learned_positions is False and m.norm_bias is False
        assert m.biases == ("qkv" if kind == "Qwen2" else "none")
    assert m.norms == (4 if kind == "Gemma2" else 2)
    window = config.get("sliding_window") or 0
    every = 2 if kind == "Gemma2" else 1  # Gemma 2 limits every second layer
    assert (m.window, m.window_layers) == (window, m.layers // every if window else 0)
    assert m.mtp_layers == config.get("num_nextn_predict_layers", 0)
    assert isinstance(m.head_dim, int) and isinstance(m.window_layers, int)


@pytest.mark.parametrize("name", models.TABLE)
def test_heads_and_experts_are_those_of_the_released_configuration(name: str) -> None:
    kind, config = published.DECODERS[name]
    m = models.get(name)
    if rank := config.get("kv_lora_rank"):
        assert m.latent == models.Latent(rank, config["qk_rope_head_dim"], config["q_lora_rank"] or 0)
        assert m.head_dim == config["qk_nope_head_dim"] == config["v_head_dim"]
        assert m.cache_width == rank + config["qk_rope_head_dim"]
        experts = (config["n_routed_experts"], config["num_experts_per_tok"])
        fixed = (config["n_shared_experts"], config["first_k_dense_replace"])
        assert m.mixture == models.Mixture(*experts, config["moe_intermediate_size"], *fixed)
        return
    assert m.latent is None
    if kind != "GPT2":
        width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        assert (m.head_dim, m.cache_width) == (width, 2 * config["num_key_value_heads"] * width)
    if kind == "Mixtral":
        experts = (config["num_local_experts"], config["num_experts_per_tok"])
        assert m.mixture == models.Mixture(*experts, config["intermediate_size"], 0, 0)
    else:
        assert m.mixture is None


def test_every_released_configuration_is_in_the_table() -> None:
    assert set(models.TABLE) == set(published.DECODERS)
    assert sum(map(len, published.CONTEXT.values())) == len(models.TABLE)


def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'llama-2-7b'\?"):
        models.get("Llama2-7b")
    with pytest.raises(ValueError, match="unknown model"):
        models.get(7)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", published.DEFAULTS)
def test_configurations_written_down_here_are_the_defaults_of_transformers(name: str) -> None:
    transformers = pytest.importorskip("transformers")
    kind, told = published.DECODERS[name]
    assert kind == published.DEFAULTS[name]
    config = getattr(transformers, f"{kind}Config")()
    assert {key: getattr(config, key) for key in told} == told
