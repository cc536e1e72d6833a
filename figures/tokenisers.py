"""Figures of tokenisers and their vocabularies."""

from __future__ import annotations

from typing import Any

from proofdeck import figure
from verifiers import bpe, parameters

ENGLISH = "the water is cold and the tea is hot and the cat drinks the water "
KOREAN = "물은 차갑고 차는 뜨겁다 고양이는 물을 마신다 "


@figure
def merges() -> Any:
    """Tokens a byte by merges learnt: English, most of the corpus, shrinks first, and Korean later."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.2), layout="constrained")
    ax = fig.subplots()
    counts = tuple(range(0, 121, 4))
    corpus = ENGLISH * 6 + KOREAN * 2
    texts = (
        ("the cat drinks the cold water", "C0", "English", (6, 0.2)),
        ("고양이는 물을 마신다", "C1", "Korean", (52, 0.62)),
    )
    for text, colour, name, place in texts:
        found = bpe.by_merges(text, corpus, counts)
        size = len(text.encode())
        ax.plot(counts, [found[str(n)] / size for n in counts], color=colour, linewidth=2.2)
        ax.annotate(name, place, color=colour)
    ax.set(xlabel="merges learnt", ylabel="tokens a byte", xlim=(0, 120), ylim=(0, 1.05))
    return fig


@figure
def embedding_share() -> Any:
    """Share of parameters in embedding and head by model size: the small models of a family pay most."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5, 3.4), layout="constrained")
    ax = fig.subplots()
    families = (
        (
            ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "gpt3-175b"),
            "C0",
            "GPT-2, GPT-3: 50K",
            (1.7e8, 27),
        ),
        (("llama-2-7b", "llama-2-13b", "llama-2-70b"), "C2", "Llama 2: 32K", (1.1e9, 1.2)),
        (
            ("llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b"),
            "C1",
            "Llama 3: 128K",
            (1.8e9, 20),
        ),
    )
    for names, colour, label, place in families:
        sizes = [parameters.count(name) for name in names]
        shares = [100 * parameters.share(name, "embedding+head") for name in names]
        ax.plot(sizes, shares, "o-", color=colour, linewidth=1.8, markersize=6)
        ax.annotate(label, place, color=colour)
    ax.set_xscale("log")
    ax.set(xlabel="parameters", ylabel="embedding and head (%)", xlim=(1e8, 6e11), ylim=(0, 36))
    ax.set_xticks([1e8, 1e9, 1e10, 1e11], ["100M", "1B", "10B", "100B"])
    ax.minorticks_off()
    return fig
