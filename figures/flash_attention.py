"""Figures of tiled attention."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import attention_cost


@figure
def memory() -> Any:
    """Bytes kept for the backward by one head against length: quadratic, or linear when tiled."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    lengths = [2**n for n in range(10, 18)]
    series = (
        (False, "C0", "weights kept", (1300, 1.6)),
        (True, "C1", "tiled", (8_500, 0.0032)),
    )
    for tiled, colour, name, place in series:
        sizes = [attention_cost.saved_bytes(n, 128, tiled=tiled) / 1e9 for n in lengths]
        ax.plot(lengths, sizes, color=colour, linewidth=2.2, marker="o", markersize=4)
        ax.annotate(f"{name}: {sizes[-1]:.3g} GB at 128k", place, color=colour)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xlabel="tokens (k = 1,024)", ylabel="kept for one head (GB)")
    ticks = lengths[::2] + lengths[-1:]
    ax.set_xticks(ticks, [f"{n // 1024}k" for n in ticks])
    return fig


@figure
def traffic() -> Any:
    """Bytes that one head's forward moves against the rows of a tile: taller tiles, less traffic."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    rows = [2**n for n in range(4, 11)]
    for width in (256, 128, 64):
        moved = [attention_cost.traffic(4096, width, rows=r) / 1e6 for r in rows]
        ax.plot(rows, moved, "o-", markersize=4, label=f"head width {width}")
    plain = attention_cost.traffic(4096, 128) / 1e6
    ax.axhline(plain, linestyle="--", linewidth=1.4, color="C3")
    ax.annotate("three kernels", (1024, plain * 1.12), color="C3", ha="right")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(rows, [str(r) for r in rows])
    ax.set_yticks([10, 100, 1000], ["10", "100", "1,000"])
    ax.set(xlabel="query rows of a tile", ylabel="moved for one head (MB)", ylim=(2, 1500))
    ax.legend(loc="lower left")
    return fig


@figure
def tile_order() -> Any:
    """Order of tiles: keys outside visit every row of queries again; queries outside finish a row at once."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    fig = Figure(figsize=(5, 3.0), layout="constrained")
    panels = fig.subplots(1, 2)
    side = 4
    for ax, name, by_keys in ((panels[0], "first version", True), (panels[1], "second version", False)):
        for row in range(side):
            for column in range(side):
                step = column * side + row if by_keys else column
                colour = "C0" if by_keys else f"C{row}"
                ax.add_patch(Rectangle((column, -row - 1), 0.92, 0.92, color=colour, alpha=0.35, linewidth=0))
                ax.annotate(str(step + 1), (column + 0.46, -row - 0.54), ha="center", va="center")
        ax.annotate(name, (side / 2, 0.75), ha="center", fontweight="bold")
        ax.annotate("keys →", (0, 0.15))
        ax.annotate(
            "one block, in turn" if by_keys else "a block for each row", (side / 2, -4.55), ha="center"
        )
        ax.annotate("queries", (-0.35, -2), ha="center", va="center", rotation=90)
        ax.set(xlim=(-0.7, 4.1), ylim=(-4.8, 1.2), aspect="equal")
        ax.axis("off")
    return fig
