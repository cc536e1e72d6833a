"""Architectures of well-known decoder models: exact numbers only, each with its source."""

from __future__ import annotations

import difflib
from dataclasses import dataclass


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
    d_ff: int
    """Width inside the feed-forward block."""
    gated: bool
    """Whether the feed-forward block is gated (three matrices) or plain (two)."""
    vocab: int
    context: int
    """Context length of the release, in tokens."""
    tied: bool
    """Whether input and output embeddings are one matrix."""
    source: str
    """Key in cards/references.yaml of the model's paper. Where that rounds a number or leaves it out
    (vocabulary, feed-forward width), it is the one of the released configuration."""


TABLE = {
    model.name: model
    for model in (
        Architecture("gpt2", 12, 768, 12, 12, 64, 3072, False, 50257, 1024, True, "radford2019"),
        Architecture("gpt3-175b", 96, 12288, 96, 96, 128, 49152, False, 50257, 2048, True, "brown2020"),
        Architecture("llama-2-7b", 32, 4096, 32, 32, 128, 11008, True, 32000, 4096, False, "touvron2023b"),
        Architecture("llama-2-70b", 80, 8192, 64, 8, 128, 28672, True, 32000, 4096, False, "touvron2023b"),
        Architecture("llama-3-8b", 32, 4096, 32, 8, 128, 14336, True, 128256, 8192, False, "grattafiori2024"),
        Architecture(
            "llama-3-70b", 80, 8192, 64, 8, 128, 28672, True, 128256, 8192, False, "grattafiori2024"
        ),
        Architecture("mistral-7b", 32, 4096, 32, 8, 128, 14336, True, 32000, 8192, False, "jiang2023"),
    )
}


def get(name: str) -> Architecture:
    """Return the architecture called `name`, or say which name was probably meant."""
    try:
        return TABLE[name]
    except (KeyError, TypeError):
        pass
    near = difflib.get_close_matches(str(name).lower(), TABLE, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(TABLE)}"
    raise ValueError(f"unknown model {name!r}; {hint}")
