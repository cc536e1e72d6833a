"""Adam's moments: what a spike or a NaN leaves in them, and what another batch size asks of them."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments, optimisers


@verifier
def update_after_spike(spike: float, after: int, beta1: float = 0.9, beta2: float = 0.999) -> float:
    """Size of Adam's step, in learning rates, some steps after one outsize gradient among steady ones.

    Steady gradients of one have gone on for long, and go on. `after` is 0 for the spike's own step.
    Formula: (1 + (1 − β₁)β₁^k (s − 1)) / √(1 + (1 − β₂)β₂^k (s² − 1)).
    Unit: 1
    Source: kingma2015
    """
    arguments.positive(spike=spike)
    arguments.counts(0, after=after)
    arguments.shares(beta1=beta1, beta2=beta2)
    first = 1 + (1 - beta1) * beta1**after * (spike - 1)
    second = 1 + (1 - beta2) * beta2**after * (spike**2 - 1)
    return first / math.sqrt(second)


@verifier
def lasting_slowdown(spike: float, share: float = 0.5, beta1: float = 0.9, beta2: float = 0.999) -> int:
    """Steps after a spike until Adam's step is back at a share of its steady size for good.

    Formula: the least k from which on `update_after_spike` stays at or above the share.
    Unit: 1
    Source: kingma2015
    """
    arguments.non_negative(**{"spike − 1": spike - 1})
    arguments.positive(share=share, beta2=beta2, **{"1 − share": 1 - share, "1 − beta2": 1 - beta2})
    # after it the spike adds less than 1 − share to the second moment and takes nothing from the first
    last = int(math.log((1 - share) / spike**2) / math.log(beta2))
    for k in range(last, -1, -1):
        if update_after_spike(spike, k, beta1, beta2) < share:
            return k + 1
    return 0


@verifier
def scaled_beta(beta: float, batch: float, new_batch: float) -> float:
    """Decay rate that keeps a moment's memory, counted in samples, at another batch size.

    Formula: 1 − κ(1 − β) with κ = B′/B, while κ(1 − β) is small.
    Unit: 1
    Source: malladi2022
    """
    arguments.shares(beta=beta)
    arguments.positive(batch=batch, new_batch=new_batch)
    scaled = 1 - new_batch / batch * (1 - beta)
    if scaled < 0:
        raise ValueError(f"the memory of β = {beta} is shorter than one batch of {new_batch}")
    return scaled


@verifier
def nan_stays(clean_steps: int = 5000, optimiser: str = "adam") -> dict[str, int]:
    """Check that one NaN gradient makes a weight NaN for ever, however many clean gradients follow.

    Formula: β·NaN + (1 − β)·g = NaN, and w − NaN = NaN.
    Unit: check
    Source: IEEE 754
    """
    arguments.counts(clean_steps=clean_steps)
    rule = optimisers.known_rule(optimiser)
    settings = optimisers.Settings(1e-3, 0.9, 0.999, 1e-8, 0.0)
    state = optimisers.State(1.0)
    for gradient in (1.0, math.nan, *([1.0] * clean_steps)):
        rule(state, gradient, settings)
    assert math.isnan(state.weight), f"the weight recovered to {state.weight}"
    # a fresh weight with the old moments is poisoned by the next step again
    fresh = optimisers.State(1.0, state.first, state.second, state.steps)
    rule(fresh, 1.0, settings)
    assert math.isnan(fresh.weight), "the moments had forgotten the NaN"
    return {"clean_steps": clean_steps}
