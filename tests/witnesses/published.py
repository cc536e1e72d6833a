"""Released configurations, as their config.json gives them, for models built with transformers."""

from __future__ import annotations

from typing import Any


def _sizes(layers: int, hidden: int, inner: int, heads: int, kv_heads: int, vocab: int) -> dict[str, Any]:
    return {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": vocab,
    }


def _gpt(layers: int, width: int, heads: int, positions: int = 1024) -> dict[str, Any]:
    sizes = {"n_layer": layers, "n_embd": width, "n_head": heads, "n_positions": positions}
    return sizes | {"vocab_size": 50257, "tie_word_embeddings": True}


def _gemma(*sizes: int, head_dim: int) -> dict[str, Any]:
    own = {"head_dim": head_dim, "sliding_window": 4096, "tie_word_embeddings": True}
    return _sizes(*sizes, vocab=256000) | own


def _mixtral(*sizes: int) -> dict[str, Any]:
    return _sizes(*sizes) | {"num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": None}


def _deepseek(
    sizes: tuple[int, ...], expert: int, experts: int, active: int, shared: int, dense: int, **more: Any
) -> dict[str, Any]:
    return {
        **_sizes(*sizes),
        "moe_intermediate_size": expert,
        "n_routed_experts": experts,
        "num_experts_per_tok": active,
        "n_shared_experts": shared,
        "first_k_dense_replace": dense,
        "q_lora_rank": 1536,
        "kv_lora_rank": 512,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        **more,
    }


_TIED = {"tie_word_embeddings": True}

DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2", _gpt(12, 768, 12)),
    "gpt2-medium": ("GPT2", _gpt(24, 1024, 16)),
    "gpt2-large": ("GPT2", _gpt(36, 1280, 20)),
    "gpt2-xl": ("GPT2", _gpt(48, 1600, 25)),
    "gpt3-175b": ("GPT2", _gpt(96, 12288, 96, 2048)),
    "llama-7b": ("Llama", _sizes(32, 4096, 11008, 32, 32, 32000)),
    "llama-13b": ("Llama", _sizes(40, 5120, 13824, 40, 40, 32000)),
    "llama-33b": ("Llama", _sizes(60, 6656, 17920, 52, 52, 32000)),
    "llama-65b": ("Llama", _sizes(80, 8192, 22016, 64, 64, 32000)),
    "llama-2-7b": ("Llama", _sizes(32, 4096, 11008, 32, 32, 32000)),
    "llama-2-13b": ("Llama", _sizes(40, 5120, 13824, 40, 40, 32000)),
    "llama-2-70b": ("Llama", _sizes(80, 8192, 28672, 64, 8, 32000)),
    "llama-3-8b": ("Llama", _sizes(32, 4096, 14336, 32, 8, 128256)),
    "llama-3-70b": ("Llama", _sizes(80, 8192, 28672, 64, 8, 128256)),
    "llama-3.1-8b": ("Llama", _sizes(32, 4096, 14336, 32, 8, 128256)),
    "llama-3.1-70b": ("Llama", _sizes(80, 8192, 28672, 64, 8, 128256)),
    "llama-3.1-405b": ("Llama", _sizes(126, 16384, 53248, 128, 8, 128256)),
    "llama-3.2-1b": ("Llama", _sizes(16, 2048, 8192, 32, 8, 128256) | {"head_dim": 64} | _TIED),
    "llama-3.2-3b": ("Llama", _sizes(28, 3072, 8192, 24, 8, 128256) | {"head_dim": 128} | _TIED),
    "mistral-7b": ("Mistral", _sizes(32, 4096, 14336, 32, 8, 32000) | {"sliding_window": 4096}),
    "mixtral-8x7b": ("Mixtral", _mixtral(32, 4096, 14336, 32, 8, 32000)),
    "mixtral-8x22b": ("Mixtral", _mixtral(56, 6144, 16384, 48, 8, 32000)),
    "qwen2.5-0.5b": ("Qwen2", _sizes(24, 896, 4864, 14, 2, 151936) | _TIED),
    "qwen2.5-1.5b": ("Qwen2", _sizes(28, 1536, 8960, 12, 2, 151936) | _TIED),
    "qwen2.5-3b": ("Qwen2", _sizes(36, 2048, 11008, 16, 2, 151936) | _TIED),
    "qwen2.5-7b": ("Qwen2", _sizes(28, 3584, 18944, 28, 4, 152064)),
    "qwen2.5-14b": ("Qwen2", _sizes(48, 5120, 13824, 40, 8, 152064)),
    "qwen2.5-32b": ("Qwen2", _sizes(64, 5120, 27648, 40, 8, 152064)),
    "qwen2.5-72b": ("Qwen2", _sizes(80, 8192, 29568, 64, 8, 152064)),
    "gemma-2-2b": ("Gemma2", _gemma(26, 2304, 9216, 8, 4, head_dim=256)),
    "gemma-2-9b": ("Gemma2", _gemma(42, 3584, 14336, 16, 8, head_dim=256)),
    "gemma-2-27b": ("Gemma2", _gemma(46, 4608, 36864, 32, 16, head_dim=128)),
    "deepseek-v2-lite": (
        "DeepseekV2",
        _deepseek((27, 2048, 10944, 16, 16, 102400), 1408, 64, 6, 2, 1, q_lora_rank=None),
    ),
    "deepseek-v2": ("DeepseekV2", _deepseek((60, 5120, 12288, 128, 128, 102400), 1536, 160, 6, 2, 1)),
    "deepseek-v3": (
        "DeepseekV3",
        _deepseek((61, 7168, 18432, 128, 128, 129280), 2048, 256, 8, 1, 3, num_nextn_predict_layers=1),
    ),
}

DEFAULTS = {
    "gpt2": "GPT2",
    "llama-7b": "Llama",
    "mistral-7b": "Mistral",
    "mixtral-8x7b": "Mixtral",
    "gemma-2-2b": "Gemma2",
    "deepseek-v3": "DeepseekV3",
}
"""Releases that are the defaults of a configuration class of transformers."""

CONTEXT = {
    1024: ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"),
    2048: ("gpt3-175b", "llama-7b", "llama-13b", "llama-33b", "llama-65b"),
    4096: ("llama-2-7b", "llama-2-13b", "llama-2-70b"),
    8192: ("llama-3-8b", "llama-3-70b", "mistral-7b", "gemma-2-2b", "gemma-2-9b", "gemma-2-27b"),
    32768: ("mixtral-8x7b", "qwen2.5-0.5b", "qwen2.5-1.5b", "qwen2.5-3b", "deepseek-v2-lite"),
    65536: ("mixtral-8x22b",),
    131072: (
        *("llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b", "llama-3.2-1b", "llama-3.2-3b"),
        *("qwen2.5-7b", "qwen2.5-14b", "qwen2.5-32b", "qwen2.5-72b", "deepseek-v2", "deepseek-v3"),
    ),
}
"""Tokens of context that the releases state."""


def _t5(layers: int, width: int, heads: int, inner: int, head: int) -> dict[str, Any]:
    return {"num_layers": layers, "d_model": width, "num_heads": heads, "d_ff": inner, "d_kv": head}


def _whisper(layers: int, width: int, heads: int, **more: int) -> dict[str, Any]:
    return {
        "d_model": width,
        "encoder_layers": layers,
        "decoder_layers": layers,
        "encoder_attention_heads": heads,
        "decoder_attention_heads": heads,
        "encoder_ffn_dim": 4 * width,
        "decoder_ffn_dim": 4 * width,
    } | more


def _tower(layers: int, width: int, heads: int, **more: int) -> dict[str, Any]:
    return {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_attention_heads": heads,
    } | more


ENCODERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert-base": ("BertConfig", "BertModel", {}),
    "bert-large": ("BertConfig", "BertModel", _tower(24, 1024, 16)),
    "t5-small": ("T5Config", "T5ForConditionalGeneration", {}),
    "t5-base": ("T5Config", "T5ForConditionalGeneration", _t5(12, 768, 12, 3072, 64)),
    "t5-large": ("T5Config", "T5ForConditionalGeneration", _t5(24, 1024, 16, 4096, 64)),
    "t5-3b": ("T5Config", "T5ForConditionalGeneration", _t5(24, 1024, 32, 16384, 128)),
    "t5-11b": ("T5Config", "T5ForConditionalGeneration", _t5(24, 1024, 128, 65536, 128)),
    "vit-b/16": ("ViTConfig", "ViTForImageClassification", {"num_labels": 1000}),
    "vit-b/32": ("ViTConfig", "ViTForImageClassification", {"num_labels": 1000, "patch_size": 32}),
    "vit-l/16": ("ViTConfig", "ViTForImageClassification", _tower(24, 1024, 16, num_labels=1000)),
    "vit-h/14": (
        "ViTConfig",
        "ViTForImageClassification",
        _tower(32, 1280, 16, num_labels=1000, patch_size=14),
    ),
    "clip-vit-b/32": ("CLIPConfig", "CLIPModel", {}),
    "clip-vit-l/14": (
        "CLIPConfig",
        "CLIPModel",
        {
            "projection_dim": 768,
            "text_config": _tower(12, 768, 12),
            "vision_config": _tower(24, 1024, 16, patch_size=14),
        },
    ),
    "whisper-tiny": ("WhisperConfig", "WhisperForConditionalGeneration", {}),
    "whisper-base": ("WhisperConfig", "WhisperForConditionalGeneration", _whisper(6, 512, 8)),
    "whisper-small": ("WhisperConfig", "WhisperForConditionalGeneration", _whisper(12, 768, 12)),
    "whisper-medium": ("WhisperConfig", "WhisperForConditionalGeneration", _whisper(24, 1024, 16)),
    "whisper-large": ("WhisperConfig", "WhisperForConditionalGeneration", _whisper(32, 1280, 20)),
    "whisper-large-v3": (
        "WhisperConfig",
        "WhisperForConditionalGeneration",
        _whisper(32, 1280, 20, num_mel_bins=128, vocab_size=51866),
    ),
}
"""Configuration class, model class, and what differs from the class's defaults."""


_built: dict[str, Any] = {}


def build(config: str, model: str, changes: dict[str, Any]) -> Any:
    """Build a model on the meta device: shapes without numbers. One of a shape is enough."""
    import torch
    import transformers

    key = f"{config} {model} {changes}"
    if key not in _built:
        with torch.device("meta"):
            _built[key] = getattr(transformers, model)(getattr(transformers, config)(**changes))
    return _built[key]


def decoder(name: str) -> Any:
    kind, changes = DECODERS[name]
    head = "LMHeadModel" if kind == "GPT2" else "ForCausalLM"
    return build(f"{kind}Config", f"{kind}{head}", changes)
