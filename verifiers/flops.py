"""Matrix FLOPs of decoders: by part, forward and training, and what share of a device's peak they reach."""

from __future__ import annotations

from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments, hardware, layer_parameters, models, parameters
from verifiers.models import Architecture


@verifier
def matmul(rows: int, inner: int, columns: int) -> int:
    """FLOPs of a matrix product: a multiplication and an addition for each term of each entry.

    Formula: 2 · m · k · n for [m, k] times [k, n].
    Unit: FLOP
    Source: definition
    """
    arguments.counts(rows=rows, inner=inner, columns=columns)
    return 2 * rows * inner * columns


def _reached(tokens: int, past: int, window: int) -> int:
    """Pairs of a query and a key no later than it, and within the window if there is one."""
    seen = past + tokens
    pairs = tokens * past + tokens * (tokens + 1) // 2
    if window:
        beyond = max(seen - window, 0)  # the last query misses so many keys, each one before one fewer
        first = max(past - window, 0)
        pairs -= beyond * (beyond + 1) // 2 - first * (first + 1) // 2
    return pairs


def pairs(m: Architecture, tokens: int, past: int, causal: bool) -> int:
    """Pairs of query and key that all layers compute: every pair, or those that the mask leaves."""
    if not causal:
        return m.layers * tokens * (past + tokens)
    whole = (m.layers - m.window_layers) * _reached(tokens, past, 0)
    return whole + m.window_layers * _reached(tokens, past, m.window)


def pair_width(m: Architecture, absorbed: bool) -> int:
    """Elements multiplied for one pair in one layer, scores and weighted values together."""
    if not m.latent:
        return 2 * m.heads * m.head_dim
    width = m.latent.kv_rank if absorbed else m.head_dim
    return m.heads * (2 * width + m.latent.rope_dim)


def feed_forward_weights(m: Architecture) -> int:
    """Elements of all feed-forward matrices that one token meets, routers included."""
    dense = parameters.block_weights(m.d_model, m.d_ff, m.gated)
    if not m.mixture:
        return m.layers * dense
    expert = parameters.block_weights(m.d_model, m.mixture.d_expert, m.gated)
    met = (m.mixture.active + m.mixture.shared) * expert + m.d_model * m.mixture.experts
    return m.mixture.dense_layers * dense + parameters.mixture_layers(m) * met


@verifier
def forward(
    model: str,
    tokens: int,
    past: int = 0,
    batch: int = 1,
    causal: bool = False,
    logits: int | None = None,
    absorbed: bool = False,
) -> dict[str, int]:
    """FLOPs of one forward pass by part: `tokens` new ones in each sequence after `past` cached ones.

    A causal count leaves out what the mask (and a window) hides. `logits` says for how many tokens a
    sequence the head runs, all by default. `absorbed` lets latent attention work on what it caches; else
    keys and values of past tokens are taken as rebuilt already.

    Formula: 2 · weights · tokens for each linear map; 4 · heads · d_h for each pair of query and key.
    Unit: projections=FLOP, scores=FLOP, feed_forward=FLOP, head=FLOP, total=FLOP
    Source: chowdhery2022
    """
    arguments.counts(tokens=tokens, batch=batch)
    logits = tokens if logits is None else logits
    arguments.counts(0, past=past, logits=logits)
    if logits > tokens:
        raise ValueError(f"logits for {logits} of {tokens} tokens")
    m = models.get(model)
    parts = {
        "projections": 2 * tokens * m.layers * parameters.attention_weights(m),
        "scores": 2 * pairs(m, tokens, past, causal) * pair_width(m, absorbed),
        "feed_forward": 2 * tokens * feed_forward_weights(m),
        "head": 2 * logits * m.vocab * m.d_model,
    }
    parts = {part: batch * count for part, count in parts.items()}
    return parts | {"total": sum(parts.values())}


@verifier
def score_share(model: str, tokens: int, causal: bool = False) -> float:
    """Share of a forward pass spent on scores and weighted values, which alone grow with tokens squared.

    Unit: 1
    Source: kaplan2020
    """
    found = forward(model, tokens, causal=causal)
    return found["scores"] / found["total"]


@verifier
def growth(model: str, tokens: int, longer: int, causal: bool = False) -> float:
    """Factor by which a forward pass costs more for a longer sequence: between linear and quadratic.

    Unit: 1
    Source: definition
    """
    before, after = (forward(model, n, causal=causal)["total"] for n in (tokens, longer))
    return after / before


@verifier
def layer(
    tokens: int,
    d_model: int,
    d_ff: int,
    heads: int = 1,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    gated: bool = False,
    causal: bool = False,
) -> dict[str, int]:
    """FLOPs of one layer's forward pass for a sequence of any shape, by part.

    Formula: 8 · n · d² + 4 · n² · d + 4 · n · d · d_ff, where all heads together are d wide, none share keys,
    the block is plain and nothing is masked.
    Unit: projections=FLOP, scores=FLOP, attention=FLOP, feed_forward=FLOP, total=FLOP
    Source: chowdhery2022
    """
    arguments.counts(tokens=tokens)
    weights = layer_parameters.attention(d_model, heads, kv_heads, head_dim)
    inner = d_model if head_dim is None else heads * head_dim
    reached = _reached(tokens, 0, 0) if causal else tokens**2
    projections, scores = 2 * tokens * weights, 4 * reached * inner
    fed = 2 * tokens * layer_parameters.feed_forward(d_model, d_ff, gated)
    return {
        "projections": projections,
        "scores": scores,
        "attention": projections + scores,
        "feed_forward": fed,
        "total": projections + scores + fed,
    }


@verifier
def crossover(
    d_model: int, d_ff: int, gated: bool = False, causal: bool = False, projections: bool = False
) -> float:
    """Tokens at which attention costs as much as the feed-forward block, its projections counted or not.

    All heads together are as wide as the model, and none share keys.

    Formula: matrices · d_ff / 2, less 2 · d with projections; twice that where only half is computed.
    Unit: token
    Source: definition
    """
    arguments.counts(d_model=d_model, d_ff=d_ff)
    fixed = 2 * d_model if projections else 0
    tokens = (2 + gated) * d_ff / 2 - fixed
    if tokens <= 0:
        raise ValueError("attention's projections alone cost more than so narrow a block")
    # a causal count is that of n · (n + 1) / 2 pairs
    return 2 * tokens - 1 if causal else tokens


@verifier
def backward_over_forward(layers: int = 1, input_gradient: bool = True) -> float:
    """FLOPs of the backward of a chain of linear maps over those of its forward, all of equal size.

    Formula: one product for the weights' gradient and one for the input's, against one; the first map
    needs no gradient of its input where that is data.
    Unit: 1
    Source: kaplan2020
    """
    arguments.counts(layers=layers)
    return float(Fraction(2 * layers - (not input_gradient), layers))


@verifier
def training(
    model: str, tokens: int, batch: int = 1, causal: bool = False, recompute: bool = False
) -> dict[str, int]:
    """FLOPs of a training step by part: forward and backward, and the forward of all blocks again.

    Formula: 3 · forward, or 4 · forward of the blocks with full recomputation.
    Unit: projections=FLOP, scores=FLOP, feed_forward=FLOP, head=FLOP, total=FLOP
    Source: kaplan2020, korthikanti2022
    """
    once = forward(model, tokens, batch=batch, causal=causal)
    again = {part: (3 + (recompute and part != "head")) * count for part, count in once.items()}
    return again | {"total": sum(count for part, count in again.items() if part != "total")}


@verifier
def training_per_token(model: str, tokens: int, causal: bool = False) -> float:
    """FLOPs that training spends on one token of a sequence of `tokens`.

    Formula: 6 · N + 12 · layers · heads · d_h · n, with N the elements of matrices that a token meets;
    the second term about half with the causal mask.
    Unit: FLOP
    Source: chowdhery2022
    """
    return training(model, tokens, causal=causal)["total"] / tokens


@verifier
def six_n_error(model: str, tokens: int, causal: bool = False) -> float:
    """By what share the matrix FLOPs of training a token exceed 6 · N, N being all active parameters.

    Formula: FLOPs / 6N − 1: scores and values are missing in 6N, a table of which rows are looked up is
    too much in it; negative where that weighs more.
    Unit: 1
    Source: kaplan2020
    """
    return training_per_token(model, tokens, causal) / (6 * parameters.active(model)) - 1


@verifier
def model_utilisation(
    model: str,
    tokens: int,
    tokens_per_second: float,
    devices: int = 1,
    device: str = "a100-80gb",
    dtype: str = "bf16",
    causal: bool = False,
) -> float:
    """Model FLOPs utilisation (MFU): FLOPs that training needs, over those of the devices' peak.

    What is recomputed does not count.

    Formula: tokens per second · FLOPs per token / (devices · dense peak).
    Unit: 1
    Source: chowdhery2022
    """
    arguments.positive(tokens_per_second=tokens_per_second)
    arguments.counts(devices=devices)
    peak = devices * hardware.peak(device, dtype)
    return tokens_per_second * training_per_token(model, tokens, causal) / peak
