"""Architectures of well-known decoder models: exact numbers only, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

from verifiers import arguments


@dataclass(frozen=True, slots=True)
class Mixture:
    """Experts in place of the feed-forward block."""

    experts: int
    """Routed experts a layer."""
    active: int
    """Routed experts that one token visits."""
    d_expert: int
    """Width inside one expert."""
    shared: int = 0
    """Experts that every token visits, each as wide as a routed one."""
    dense_layers: int = 0
    """First layers, which have a feed-forward block of width `d_ff` instead."""


@dataclass(frozen=True, slots=True)
class Latent:
    """Multi-head latent attention: keys and values are rebuilt from one cached vector a token."""

    kv_rank: int
    """Width of the cached latent vector."""
    rope_dim: int
    """Rotated part of each query head, and of the one key shared by all heads, cached too."""
    q_rank: int = 0
    """Width to which queries are compressed; 0 without compression."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of a decoder-only transformer."""

    name: str
    layers: int
    d_model: int
    heads: int
    """Query heads."""
    kv_heads: int
    """Key/value heads: equal to `heads` without grouped queries."""
    head_dim: int
    """Width of a head; with `latent`, of its value and of the part of its key that is not rotated."""
    d_ff: int
    """Width inside the (dense) feed-forward block."""
    gated: bool
    """Whether the feed-forward block is gated (three matrices) or plain (two)."""
    vocab: int
    """Rows of the embedding, padding included."""
    context: int
    """Context length of the release, in tokens."""
    tied: bool
    """Whether input and output embeddings are one matrix."""
    source: str
    """Key in cards/references.yaml of the model's paper. Where that rounds a number or leaves it out
    (vocabulary, feed-forward width), it is the one of the released configuration."""
    biases: str = "none"
    """Linear maps with a bias: none, qkv, or all but the head."""
    learned_positions: bool = False
    """Whether positions are rows of a table as long as the context; else rotary, without parameters."""
    norms: int = 2
    """Norms a layer."""
    norm_bias: bool = False
    """Whether a norm has a bias beside its gain (LayerNorm) or a gain only (RMSNorm)."""
    window: int = 0
    """Tokens that an attention of limited reach sees; 0 where no layer has one."""
    window_layers: int = 0
    """Layers whose attention is so limited."""
    mixture: Mixture | None = None
    latent: Latent | None = None
    mtp_layers: int = 0
    """Released layers of multi-token prediction, beyond the main model."""

    @property
    def cache_width(self) -> int:
        """Elements that one layer caches for one token."""
        if self.latent:
            return self.latent.kv_rank + self.latent.rope_dim
        return 2 * self.kv_heads * self.head_dim


def _gpt(name: str, layers: int, d: int, heads: int, context: int, source: str) -> Architecture:
    sizes = (layers, d, heads, heads, d // heads, 4 * d)
    return Architecture(
        name, *sizes, False, 50257, context, True, source, "all", learned_positions=True, norm_bias=True
    )


def _llama(
    name: str,
    sizes: tuple[int, int, int, int, int, int],
    vocab: int,
    context: int,
    source: str,
    tied: bool = False,
    **more: object,
) -> Architecture:
    """A gated decoder with RMSNorm and rotary positions; `sizes` run from layers to d_ff."""
    return Architecture(name, *sizes, True, vocab, context, tied, source, **more)  # type: ignore[arg-type]


def _qwen(name: str, sizes: tuple[int, int, int, int, int, int], vocab: int, context: int) -> Architecture:
    # the small ones share one matrix between embedding and head, and pad the vocabulary less
    return _llama(name, sizes, vocab, context, "qwen2024", tied=vocab == 151936, biases="qkv")


def _gemma(name: str, sizes: tuple[int, int, int, int, int, int]) -> Architecture:
    local = {"norms": 4, "window": 4096, "window_layers": sizes[0] // 2}
    return _llama(name, sizes, 256000, 8192, "gemma2024", tied=True, **local)


L1, L2, L3, DEEPSEEK = "touvron2023a", "touvron2023b", "grattafiori2024", "deepseek2024"
LONG = 131072
EIGHT_OF_7B, EIGHT_OF_22B = Mixture(8, 2, 14336), Mixture(8, 2, 16384)

TABLE = {
    model.name: model
    for model in (
        _gpt("gpt2", 12, 768, 12, 1024, "radford2019"),
        _gpt("gpt2-medium", 24, 1024, 16, 1024, "radford2019"),
        _gpt("gpt2-large", 36, 1280, 20, 1024, "radford2019"),
        _gpt("gpt2-xl", 48, 1600, 25, 1024, "radford2019"),
        # vocabulary, biases and the shared head are GPT-2's, which it says to follow; it was never released
        _gpt("gpt3-175b", 96, 12288, 96, 2048, "brown2020"),
        _llama("llama-7b", (32, 4096, 32, 32, 128, 11008), 32000, 2048, L1),
        _llama("llama-13b", (40, 5120, 40, 40, 128, 13824), 32000, 2048, L1),
        _llama("llama-33b", (60, 6656, 52, 52, 128, 17920), 32000, 2048, L1),
        _llama("llama-65b", (80, 8192, 64, 64, 128, 22016), 32000, 2048, L1),
        _llama("llama-2-7b", (32, 4096, 32, 32, 128, 11008), 32000, 4096, L2),
        _llama("llama-2-13b", (40, 5120, 40, 40, 128, 13824), 32000, 4096, L2),
        _llama("llama-2-70b", (80, 8192, 64, 8, 128, 28672), 32000, 4096, L2),
        _llama("llama-3-8b", (32, 4096, 32, 8, 128, 14336), 128256, 8192, L3),
        _llama("llama-3-70b", (80, 8192, 64, 8, 128, 28672), 128256, 8192, L3),
        _llama("llama-3.1-8b", (32, 4096, 32, 8, 128, 14336), 128256, LONG, L3),
        _llama("llama-3.1-70b", (80, 8192, 64, 8, 128, 28672), 128256, LONG, L3),
        _llama("llama-3.1-405b", (126, 16384, 128, 8, 128, 53248), 128256, LONG, L3),
        _llama("llama-3.2-1b", (16, 2048, 32, 8, 64, 8192), 128256, LONG, "meta2024", tied=True),
        _llama("llama-3.2-3b", (28, 3072, 24, 8, 128, 8192), 128256, LONG, "meta2024", tied=True),
        _llama(
            "mistral-7b",
            (32, 4096, 32, 8, 128, 14336),
            32000,
            8192,
            "jiang2023",
            window=4096,
            window_layers=32,
        ),
        _llama(
            "mixtral-8x7b",
            (32, 4096, 32, 8, 128, 14336),
            32000,
            32768,
            "jiang2024",
            mixture=EIGHT_OF_7B,
        ),
        _llama(
            "mixtral-8x22b",
            (56, 6144, 48, 8, 128, 16384),
            32000,
            65536,
            "mistral2024",
            mixture=EIGHT_OF_22B,
        ),
        _qwen("qwen2.5-0.5b", (24, 896, 14, 2, 64, 4864), 151936, 32768),
        _qwen("qwen2.5-1.5b", (28, 1536, 12, 2, 128, 8960), 151936, 32768),
        _qwen("qwen2.5-3b", (36, 2048, 16, 2, 128, 11008), 151936, 32768),
        _qwen("qwen2.5-7b", (28, 3584, 28, 4, 128, 18944), 152064, LONG),
        _qwen("qwen2.5-14b", (48, 5120, 40, 8, 128, 13824), 152064, LONG),
        _qwen("qwen2.5-32b", (64, 5120, 40, 8, 128, 27648), 152064, LONG),
        _qwen("qwen2.5-72b", (80, 8192, 64, 8, 128, 29568), 152064, LONG),
        _gemma("gemma-2-2b", (26, 2304, 8, 4, 256, 9216)),
        _gemma("gemma-2-9b", (42, 3584, 16, 8, 256, 14336)),
        _gemma("gemma-2-27b", (46, 4608, 32, 16, 128, 36864)),
        _llama(
            "deepseek-v2-lite",
            (27, 2048, 16, 16, 128, 10944),
            102400,
            32768,
            DEEPSEEK + "v2",
            mixture=Mixture(64, 6, 1408, shared=2, dense_layers=1),
            latent=Latent(512, 64),
        ),
        _llama(
            "deepseek-v2",
            (60, 5120, 128, 128, 128, 12288),
            102400,
            LONG,
            DEEPSEEK + "v2",
            mixture=Mixture(160, 6, 1536, shared=2, dense_layers=1),
            latent=Latent(512, 64, q_rank=1536),
        ),
        _llama(
            "deepseek-v3",
            (61, 7168, 128, 128, 128, 18432),
            129280,
            LONG,
            DEEPSEEK,
            mixture=Mixture(256, 8, 2048, shared=1, dense_layers=3),
            latent=Latent(512, 64, q_rank=1536),
            mtp_layers=1,
        ),
    )
}


def get(name: str) -> Architecture:
    """Return the architecture called `name`, or say which name was probably meant."""
    return TABLE[arguments.one_of("model", name, TABLE)]
