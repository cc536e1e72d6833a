"""Matrix products: rates by data type and size, and where one linear layer stops waiting for its weights."""

from __future__ import annotations

from typing import Any

from proofdeck import measurement
from verifiers.kernels import ceilings, products, timing


@measurement
def rate(n: int, dtype: str, data: str = "random") -> dict[str, Any]:
    """Rate of a square matrix product.

    Formula: 2 · n³ / median time; int8 counts its integer operations alike.
    Unit: FLOP/s
    Source: definition
    """
    work = products.product(dtype, n, n, n, data)
    sample = timing.clock({dtype: work.run})[dtype]
    floor = ceilings.floor(2 * n**3, work.nbytes, dtype)
    return timing.report(
        2 * n**3 / sample.median, {dtype: sample}, {dtype: work.error}, {dtype: floor / sample.median},
        flops=2 * n**3, nbytes=work.nbytes, data=data,
    )  # fmt: skip


@measurement
def linear(batch: int, width: int = 8192, dtype: str = "bf16") -> dict[str, Any]:
    """One square linear layer on a batch of tokens: time, rate, traffic, and its share of either ceiling.

    Formula: rate = 2 · batch · width² / time; bandwidth = (weights + inputs + outputs) / time.
    Unit: time=s, rate=FLOP/s, bandwidth=B/s, intensity=FLOP/B, compute share=1, memory share=1
    Source: definition
    """
    work = products.product(dtype, batch, width, width)
    sample = timing.clock({"linear": work.run})["linear"]
    flops = 2 * batch * width**2
    value = {
        "time": sample.median,
        "rate": flops / sample.median,
        "bandwidth": work.nbytes / sample.median,
        "intensity": flops / work.nbytes,
        "compute share": flops / sample.median / ceilings.product_rate(dtype),
        "memory share": work.nbytes / sample.median / ceilings.copy_rate(),
    }
    floor = ceilings.floor(flops, work.nbytes, dtype)
    return timing.report(
        value, {"linear": sample}, {"linear": work.error}, {"linear": floor / sample.median}, dtype=dtype
    )


@measurement
def knee(width: int = 8192, dtype: str = "bf16", largest: int = 8192) -> dict[str, Any]:
    """The batch at which a linear layer turns from memory-bound to compute-bound, measured and computed.

    Formula: measured = time of one token / time a token of the largest batch (where the asymptotes cross);
        computed = the same from the two ceilings; ridge = product rate / copy bandwidth.
    Unit: measured=token, computed=token, ridge=FLOP/B
    Source: williams2009
    """
    one, many = (products.product(dtype, batch, width, width) for batch in (1, largest))
    samples = timing.clock({"one": one.run, "many": many.run})
    flops, copy, product = 2 * width**2, ceilings.copy_rate(), ceilings.product_rate(dtype)
    value = {
        "measured": samples["one"].median / (samples["many"].median / largest),
        "computed": (one.nbytes / copy) / (flops / product),
        "ridge": product / copy,
    }
    roofs = {
        "one": one.nbytes / copy / samples["one"].median,
        "many": flops * largest / product / samples["many"].median,
    }
    errors = {"one": one.error, "many": many.error}
    return timing.report(value, samples, errors, roofs, dtype=dtype, width=width, largest=largest)
