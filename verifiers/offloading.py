"""Activations moved to the host and back, against computing them again."""

from __future__ import annotations

from proofdeck import verifier
from verifiers import arguments, checkpointing, hardware, models


def _block(model: str, tokens: int, recompute: str, device: str, utilisation: float) -> tuple[int, float]:
    """Bytes that a block keeps, and seconds of its forward."""
    arguments.shares(utilisation=utilisation)
    arguments.positive(utilisation=utilisation)
    d = models.TABLE[arguments.one_of("model", model, models.TABLE)].d_model
    work = 24 * tokens * d**2 + 4 * tokens**2 * d
    size = checkpointing.layer_bytes(model, tokens, recompute=recompute)
    return size, work / (utilisation * hardware.peak(device))


@verifier
def block_times(
    model: str,
    tokens: int,
    link: float,
    device: str = "a100-80gb",
    utilisation: float = 0.5,
    recompute: str = "selective",
) -> dict[str, float]:
    """Time to move one block's activations one way over a link to the host, and to compute them again.

    `share` is transfer over compute: below one the copy hides behind the forward of a block like it.
    Formula: bytes / link; (24·n·d² + 4·n²·d) / (utilisation · peak), both for one device that holds it all.
    Unit: transfer=s, compute=s, share=1
    Source: korthikanti2022
    """
    arguments.positive(link=link)
    size, compute = _block(model, tokens, recompute, device, utilisation)
    return {"transfer": size / link, "compute": compute, "share": size / link / compute}


@verifier
def least_link(
    model: str,
    tokens: int,
    device: str = "a100-80gb",
    utilisation: float = 0.5,
    recompute: str = "selective",
) -> float:
    """Bandwidth to the host, one way, at which moving a block's activations takes as long as its forward.

    Formula: bytes / compute time. Without the attention core it hardly depends on the tokens:
    17·peak·utilisation / (12·d + 2·n).
    Unit: B/s
    Source: korthikanti2022
    """
    size, compute = _block(model, tokens, recompute, device, utilisation)
    return size / compute
