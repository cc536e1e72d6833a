"""Figures of measured kernels; every point is a record."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers.kernels import attention, ceilings, decode, gemm
from verifiers.kernels import fusion as fused

LENGTHS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
BATCHES = (1, 4, 16, 64, 128, 256, 512, 1024, 4096)


def _axes() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    return fig, fig.subplots()


def _powers(ax: Any, ticks: tuple[int, ...], y: bool = False) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [f"{n // 1024}k" if n >= 1024 else str(n) for n in ticks])
    ax.minorticks_off()
    if y:
        ax.set_yscale("log")


@figure
def roofline() -> Any:
    """Roofline of the measured device, with a linear layer from one token to thousands, and attention."""
    copy = ceilings.copy(mib=4096)
    product = gemm.rate(n=8192, dtype="bf16")
    fig, ax = _axes()
    span = [0.5, product / copy, 8192]
    ax.plot(span, [min(product, copy * x) / 1e12 for x in span], color="C0")
    layers = [gemm.linear(batch=batch) for batch in BATCHES]
    ax.plot(
        [layer["intensity"] for layer in layers], [layer["rate"] / 1e12 for layer in layers],
        "o", color="C1", label="linear layer, batch 1 to 4,096",
    )  # fmt: skip
    flash = [(n, attention.forward(tokens=n)) for n in (1024, 4096, 16384)]
    # causal: 2 · n² · d FLOPs a head, and 8 · n · d bytes
    ax.plot(
        [n / 4 for n, _ in flash], [f["flash rate"] / 1e12 for _, f in flash],
        "s", color="C2", label="flash attention, 1k, 4k, 16k",
    )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="FLOPs a byte", ylabel="TFLOP/s")
    ax.annotate(
        f"ridge {product / copy:.0f}",
        (product / copy, product / 1e12),
        xytext=(-70, 4),
        textcoords="offset points",
    )
    ax.legend(loc="lower right")
    return fig


@figure
def knee() -> Any:
    """Time of a linear layer against batch: flat while its weights are read, then rising with the tokens."""
    from matplotlib.ticker import LogLocator

    fig, ax = _axes()
    times = [gemm.linear(batch=batch)["time"] * 1e6 for batch in BATCHES]
    found = gemm.knee(width=8192)
    ax.plot(BATCHES, times, "o-", color="C0")
    ax.set(xscale="log", yscale="log", xlabel="tokens in the batch", ylabel="time (µs)")
    _powers(ax, (1, 4, 16, 64, 256, 1024, 4096))
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")
    for name, colour, height in (("measured", "C1", 0.9), ("computed", "C2", 0.78)):
        ax.axvline(found[name], color=colour, linestyle="--", linewidth=1.5)
        ax.text(
            found[name] * 0.9, height, f"{name} {found[name]:.0f}", color=colour, ha="right",
            transform=ax.get_xaxis_transform(),
        )  # fmt: skip
    return fig


@figure
def attention_speed() -> Any:
    """Speed-up of flash attention and of cuDNN's over plain bf16 attention and the math kernel, against length."""
    fig, ax = _axes()
    forward = [(n, attention.forward(tokens=n)) for n in LENGTHS]
    backward = [(n, attention.backward(tokens=n)) for n in LENGTHS]
    for records, slow, fast, style, told in (
        (forward, "plain", "flash", "C0o-", "flash over plain bf16"),
        (backward, "plain", "flash", "C0s--", "the same, backward"),
        (forward, "plain", "cudnn", "C2o-", "cuDNN over plain bf16"),
        (forward, "math", "flash", "C1o-", "flash over math kernel"),
    ):
        points = [(n, r[slow] / r[fast]) for n, r in records if slow in r and fast in r]
        if points:
            ax.plot(*zip(*points, strict=True), style, label=told)
    ax.axhspan(2, 4, color="C3", alpha=0.15, linewidth=0)
    ax.text(LENGTHS[-1], 2.8, "2–4×", color="C3", ha="right", va="center")
    _powers(ax, LENGTHS)
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set(xlabel="tokens", ylabel="times as fast")
    ax.legend()
    return fig


@figure
def attention_memory() -> Any:
    """Peak memory of an attention forward of one sequence against its length, plain, math kernel and flash."""
    fig, ax = _axes()
    records = [(n, attention.forward(tokens=n)) for n in LENGTHS]
    for name, colour, told in (
        ("plain", "C0", "plain"), ("math", "C1", "math"), ("flash", "C2", "flash"), ("cudnn", "C4", "cuDNN"),
    ):  # fmt: skip
        # a short sequence was timed in a batch of many
        points = [
            (n, r[f"{name} memory"] / max(1, attention.TOKENS // n) / 1e9)
            for n, r in records
            if f"{name} memory" in r
        ]
        if points:
            ax.plot(*zip(*points, strict=True), "o-", color=colour, label=told)
    _powers(ax, LENGTHS, y=True)
    ax.set(xlabel="tokens", ylabel="peak for one sequence (GB)")
    ax.legend()
    return fig


@figure
def decode_bytes() -> Any:
    """Time of decode attention against the bytes of its cache, for MHA, GQA and MQA, and the copy roof."""
    fig, ax = _axes()
    records = [decode.attention(tokens=n) for n in (1024, 4096, 16384, 32768)]
    for kind, colour in (("mha", "C0"), ("gqa", "C1"), ("mqa", "C2")):
        ax.plot(
            [r[f"{kind} bytes"] / 1e9 for r in records],
            [r[kind] * 1e6 for r in records],
            "o-",
            color=colour,
            label=kind.upper(),
        )
    sizes = [records[0]["mqa bytes"], records[-1]["mha bytes"]]
    copy = ceilings.copy(mib=4096)
    ax.plot(
        [s / 1e9 for s in sizes], [s / copy * 1e6 for s in sizes], "--", color="C3", label="copy bandwidth"
    )
    ax.set(xscale="log", yscale="log", xlabel="cache (GB)", ylabel="time (µs)")
    ax.xaxis.set_minor_formatter("")
    ax.legend()
    return fig


@figure
def fusion() -> Any:
    """Share of the copy bandwidth that each function reaches: op by op, library, compiled, our Triton kernel."""
    fig, ax = _axes()
    names = ("softmax", "layer_norm", "rms_norm", "swiglu", "cross_entropy", "rope")
    sizes = {"cross_entropy": (8192, 131072), "rope": (32768, 4096)}
    records = []
    for name in names:
        rows, columns = sizes.get(name, (16384, 8192))
        records.append(fused.op(name, rows=rows, columns=columns))
    for place, (variant, told) in enumerate(
        (("primitive", "op by op"), ("library", "library"), ("compiled", "compiled"), ("triton", "Triton"))
    ):
        shares = [100 * r.get(f"{variant} share", 0) for r in records]
        ax.barh(
            [n + 0.2 * (1.5 - place) for n in range(len(names))], shares, 0.18, color=f"C{place}", label=told
        )
    ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    ax.invert_yaxis()
    ax.set(xlabel="share of the copy bandwidth (%)")
    ax.axvline(100, linestyle="--", linewidth=1, color="C4")
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, 1.16), ncols=4, columnspacing=0.9, handlelength=1)
    return fig
