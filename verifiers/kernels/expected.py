"""What arithmetic and bytes predict for a kernel before anybody times it."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments, concurrency

STEPS: dict[str, tuple[tuple[int, int], ...]] = {
    # maximum, subtraction, exponential, sum, division, all in bf16
    "softmax": ((2, 0), (2, 2), (2, 2), (2, 0), (2, 2)),
    # widened, squared, mean, times the root, times the gain, narrowed
    "rms_norm": ((2, 4), (4, 4), (4, 0), (4, 4), (4, 4), (4, 2)),
    # silu of the gate, product with the other half
    "swiglu": ((2, 2), (4, 2)),
    # widened, log-softmax, the target's entry negated
    "cross_entropy": ((2, 4), (4, 4), (0, 0)),
}
"""Bytes that each operation reads and writes an element of bf16 input, when each is a kernel of its own."""
FUSED = {"softmax": 4, "rms_norm": 4, "swiglu": 6, "cross_entropy": 2}
"""Bytes an element that one kernel must move: inputs read once, outputs written once."""


@verifier
def fusion_gain(name: str) -> float:
    """Bytes moved op by op over bytes moved by one fused kernel: the speed-up if only bytes count.

    Formula: Σ (reads + writes) of the operations / (inputs + outputs).
    Unit: 1
    Source: definition
    """
    arguments.one_of("function", name, STEPS)
    return sum(read + written for read, written in STEPS[name]) / FUSED[name]


@verifier
def intensity(batch: int, width: int, nbytes: int = 2) -> float:
    """FLOPs a byte of a square linear layer on `batch` tokens.

    Formula: 2 · batch · width² / ((width² + 2 · batch · width) · bytes an element).
    Unit: FLOP/B
    Source: williams2009
    """
    arguments.positive(batch=batch, width=width, nbytes=nbytes)
    return 2 * batch * width**2 / ((width**2 + 2 * batch * width) * nbytes)


@verifier
def knee(flops: float, bandwidth: float, width: int, nbytes: int = 2) -> float:
    """The batch from which a square linear layer is bound by arithmetic, given two ceilings.

    Formula: batch where 2 · batch · width² / flops = (width² + 2 · batch · width) · bytes / bandwidth;
        infinite where the traffic of the activations alone outlasts the arithmetic.
    Unit: token
    Source: williams2009
    """
    arguments.positive(flops=flops, bandwidth=bandwidth, width=width, nbytes=nbytes)
    ridge = flops / bandwidth
    left = 2 * width - 2 * nbytes * ridge
    return nbytes * ridge * width / left if left > 0 else float("inf")


@verifier
def launch_bytes(launch: float, bandwidth: float) -> float:
    """Bytes that memory could have moved while one kernel was being launched.

    Formula: launch · bandwidth.
    Unit: B
    Source: definition
    """
    arguments.positive(launch=launch, bandwidth=bandwidth)
    return launch * bandwidth


@verifier
def decode_floor(nbytes: float, bandwidth: float) -> float:
    """The least time of a decoding step that reads `nbytes` of weights and cache once.

    Formula: bytes / bandwidth.
    Unit: s
    Source: definition
    """
    arguments.positive(nbytes=nbytes, bandwidth=bandwidth)
    return nbytes / bandwidth


@verifier
def overall(share: float, speedup: float) -> float:
    """Speed-up of the whole when `share` of its time becomes `speedup` times faster.

    Formula: 1 / (1 - share + share / speedup).
    Unit: 1
    Source: amdahl1967
    """
    return concurrency.amdahl(share, speedup)


@verifier
def backward_ratio(first: bool = False) -> int:
    """FLOPs of a linear layer's backward pass over those of its forward.

    Formula: one product for the gradient of the weights and one for that of the inputs, which the `first`
        layer of a network does not need; the forward pass is one product of the same size.
    Unit: 1
    Source: kaplan2020
    """
    return 1 if first else 2


@verifier
def checkpoint_overhead() -> float:
    """Extra FLOPs of a training step that runs every forward twice.

    Formula: 1 / (1 + 2).
    Unit: 1
    Source: chen2016
    """
    return 1 / (1 + backward_ratio())


@verifier
def adamw_bytes(params: int) -> int:
    """Bytes that one AdamW step in fp32 must move.

    Formula: (weight, gradient and two moments read; weight and moments written) · 4 B.
    Unit: B
    Source: definition
    """
    arguments.counts(params=params)
    return (4 + 3) * 4 * params


@verifier
def adapter_share(width: int, rank: int) -> float:
    """FLOPs of a LoRA adapter over those of the square layer that it adapts.

    Formula: 2 · rank / width.
    Unit: 1
    Source: hu2022
    """
    arguments.positive(width=width, rank=rank)
    return 2 * rank / width


@verifier
def quantised_ratio(head_dim: int, bits: int = 8, scale_bytes: int = 4, group: int = 0) -> float:
    """Bytes of a 16-bit cache over those of a quantised one with a scale for every `group` elements.

    Formula: 2 · group / (group · bits / 8 + scale bytes); group 0 means the whole head.
    Unit: 1
    Source: definition
    """
    arguments.positive(bits=bits)
    arguments.non_negative(scale_bytes=scale_bytes)
    size = group or head_dim
    arguments.divides(head_dim, size, "elements of a head")
    return 2 * size / (size * bits / 8 + scale_bytes)


@verifier
def peak_bytes(tokens: int, heads: int, nbytes: int = 2, copies: int = 1) -> int:
    """Bytes of the attention scores of one sequence, `copies` of them alive at once.

    Formula: copies · heads · tokens² · bytes an element.
    Unit: B
    Source: dao2022
    """
    arguments.counts(tokens=tokens, heads=heads, nbytes=nbytes, copies=copies)
    return copies * heads * tokens**2 * nbytes
