"""What repeated tokens are worth: the data-constrained scaling law of Muennighoff et al. (2023)."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments, scaling
from verifiers.scaling import Fit

DATA_DECAY = 15.387756
"""R*_D: repetitions after which another pass is worth 1/e of fresh tokens."""
SIZE_DECAY = 5.309743
"""R*_N: the same for parameters beyond those that the unique tokens deserve."""


def _discounted(unique: float, repetitions: float, decay: float) -> float:
    return unique * (1 - decay * math.expm1(-repetitions / decay))


@verifier
def effective_tokens(unique: float, epochs: float, decay: float = DATA_DECAY) -> float:
    """Fresh tokens that a number of passes over unique ones are worth.

    Formula: D' = U + U · R* · (1 − e^(−R/R*)), R = epochs − 1; less than one pass counts in full.
    Unit: token
    Source: muennighoff2023
    """
    arguments.positive(unique=unique, epochs=epochs, decay=decay)
    return _discounted(unique * min(epochs, 1), max(epochs - 1, 0), decay)


@verifier
def worth(epochs: float, decay: float = DATA_DECAY) -> float:
    """Worth of a run's tokens, counted as a share of as many fresh ones.

    Formula: D' / (U · epochs).
    Unit: 1
    Source: muennighoff2023
    """
    return effective_tokens(1.0, epochs, decay) / epochs


@verifier
def pass_worth(epoch: float, decay: float = DATA_DECAY) -> float:
    """Worth of the tokens met at a given point of repeated training, relative to fresh ones.

    Formula: e^(−(epoch − 1)/R*).
    Unit: 1
    Source: muennighoff2023
    """
    arguments.positive(decay=decay, epoch=epoch)
    arguments.non_negative(**{"epoch − 1": epoch - 1})
    return math.exp((1 - epoch) / decay)


@verifier
def ceiling(decay: float = DATA_DECAY) -> float:
    """Most fresh tokens that one unique token can be worth, however often it is repeated.

    Formula: 1 + R*.
    Unit: 1
    Source: muennighoff2023
    """
    arguments.positive(decay=decay)
    return 1 + decay


@verifier
def deserved_params(unique: float, fit: Fit = "muennighoff") -> float:
    """Parameters that are compute-optimal for a number of unique tokens, passed once.

    Formula: α·A/N^α = β·B/D^β solved for N.
    Unit: param
    Source: muennighoff2023
    """
    arguments.positive(unique=unique)
    _, a, b, alpha, beta = scaling.law(fit)
    return float((alpha * a * unique**beta / (beta * b)) ** (1 / alpha))


@verifier
def loss(
    params: float,
    unique: float,
    epochs: float,
    fit: Fit = "muennighoff",
    data_decay: float = DATA_DECAY,
    size_decay: float = SIZE_DECAY,
) -> float:
    """Loss of a model trained for several passes over unique tokens.

    Formula: E + A/N'^α + B/D'^β, where D' and N' discount repeated tokens and excess parameters.
    Unit: nat
    Source: muennighoff2023
    """
    arguments.positive(params=params, unique=unique, epochs=epochs, size_decay=size_decay)
    deserved = deserved_params(unique * min(epochs, 1), fit)
    excess = max(params / deserved - 1, 0)
    size = _discounted(min(params, deserved), excess, size_decay)
    return scaling.loss(size, effective_tokens(unique, epochs, data_decay), fit)
