"""Drawings of the building blocks: losses, divergences and the time of a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofdeck import figure
from verifiers import dtypes, flops, hardware, information, roofline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEVICE = "h100-sxm"
WIDTH = 4096


@figure
def surprisal() -> Figure:
    """Loss of a prediction against the right token's probability: each halving adds 0.693 nats."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    chances = [n / 1000 for n in range(40, 1001)]
    ax.plot(chances, [information.loss(1 / p) for p in chances], color="C0", linewidth=2.2)
    halvings = [1.0, 0.5, 0.25, 0.125, 0.0625]
    ax.step(halvings, [information.loss(1 / p) for p in halvings], where="post", color="C1", linewidth=1.2)
    ax.plot(halvings, [information.loss(1 / p) for p in halvings], "o", color="C1", markersize=5)
    for p, name in zip(halvings[1:], ("1/2", "1/4", "1/8", "1/16"), strict=True):
        ax.annotate(name, (p, information.loss(1 / p)), (8, 3), textcoords="offset points", color="C1")
    ax.annotate("each halving costs\n0.693 nats = one bit", (0.42, 2.1))
    ax.set(xlabel="probability of the right token", ylabel="loss (nats)", xlim=(0, 1.02), ylim=(-0.06, 3.2))
    return fig


@figure
def kl() -> Figure:
    """KL divergence between a fair coin and a biased one, in both directions: one of them explodes."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    fair = [0.5, 0.5]
    biases = [n / 1000 for n in range(500, 1000)]
    series = (
        ("KL(fair ‖ biased)", [information.kl_divergence(fair, [b, 1 - b]) for b in biases], (97, 1.4)),
        ("KL(biased ‖ fair)", [information.kl_divergence([b, 1 - b], fair) for b in biases], (99.5, 0.12)),
    )
    for name, values, place in series:
        (line,) = ax.plot([100 * b for b in biases], values, linewidth=2.2)
        ax.annotate(name, place, color=line.get_color(), ha="right")
    ax.set(xlabel="heads of the biased coin (%)", ylabel="divergence (nats)", xlim=(50, 100.5), ylim=(0, 2.6))
    return fig


@figure
def step_time() -> Figure:
    """Least time of a 4,096 × 4,096 layer on an H100 against the tokens of a pass: flat, then rising."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    tokens = [round(2 ** (n / 4)) for n in range(49)]
    size = dtypes.itemsize("bf16")
    bounds = [
        roofline.time_bound(flops.matmul(t, WIDTH, WIDTH), size * (WIDTH * WIDTH + 2 * t * WIDTH), DEVICE)
        for t in tokens
    ]
    for key, colour, name, place in (
        ("memory", "C0", "reading the bytes", (1.3, 13.5)),
        ("compute", "C1", "computing", (26, 0.42)),
    ):
        times = [1e6 * float(bound[key]) for bound in bounds]
        ax.plot(tokens, times, color=colour, linewidth=1.6, linestyle="--")
        ax.annotate(name, place, color=colour)
    ax.plot(tokens, [1e6 * float(bound["time"]) for bound in bounds], color="C2", linewidth=2.6)
    ax.annotate("the longer of both", (300, 27), color="C2", ha="right")
    ax.set(xscale="log", yscale="log", xlim=(1, 4096), ylim=(0.2, 250))
    ax.set_xticks([1, 8, 64, 512, 4096], ["1", "8", "64", "512", "4,096"])
    ax.set_yticks([1, 10, 100], ["1", "10", "100"])
    ax.minorticks_off()
    ax.set(xlabel="tokens in the pass", ylabel="least time (µs)")
    return fig


@figure
def roof() -> Figure:
    """Roofline of an H100 in bf16: adding vectors and decoding lie on the slope, a long prompt on the roof."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    ridge = hardware.ridge(DEVICE)
    ends = [0.1, ridge, 4000.0]
    ax.plot(ends, [roofline.attainable(x, DEVICE) / 1e12 for x in ends], color="C0", linewidth=2.2)
    ax.plot([ridge, ridge], [0.1, hardware.peak(DEVICE) / 1e12], color="C0", linewidth=1, linestyle=":")
    ax.annotate(f"ridge {ridge:.0f}", (ridge, 0.16), (-4, 0), textcoords="offset points", ha="right")
    points = (
        ("add two vectors", roofline.elementwise_intensity(1, 2, 1), (9, -9), "left"),
        ("linear layer, 1 token", roofline.linear_intensity(1, WIDTH, WIDTH), (9, -9), "left"),
        ("64 tokens", roofline.linear_intensity(64, WIDTH, WIDTH), (-8, 2), "right"),
        ("2,048 tokens", roofline.linear_intensity(2048, WIDTH, WIDTH), (0, 9), "center"),
    )
    for name, intensity, shift, side in points:
        at = (intensity, roofline.attainable(intensity, DEVICE) / 1e12)
        ax.plot(*at, "o", color="C1", markersize=7)
        ax.annotate(name, at, shift, textcoords="offset points", ha=side, color="C1")
    ax.set(xscale="log", yscale="log", xlim=(0.1, 4000), ylim=(0.1, 10000))
    ax.set_xticks([0.1, 1, 10, 100, 1000], ["0.1", "1", "10", "100", "1,000"])
    ax.set_yticks([0.1, 1, 10, 100, 1000], ["0.1", "1", "10", "100", "1,000"])
    ax.minorticks_off()
    ax.set(xlabel="arithmetic intensity (FLOP/B)", ylabel="at most (TFLOP/s)")
    return fig
