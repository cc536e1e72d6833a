"""Cross-entropy, its gradient in the logits, label smoothing and KL divergence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from functools import partial
from typing import Any

import numpy as np

from proofdeck import verifier
from verifiers import formats

Array = np.ndarray[Any, np.dtype[Any]]


def log_softmax(logits: Array) -> Array:
    """Subtract the maximum, then the log of the sum; complex logits pass through."""
    shifted = logits - logits[np.argmax(logits.real)]
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def smoothed_target(classes: int, target: int, smoothing: float) -> Array:
    """The one-hot target mixed with the uniform distribution over all classes."""
    distribution = np.full(classes, smoothing / classes)
    distribution[target] += 1 - smoothing
    return distribution


def cross_entropy_gradient(logits: Array, distribution: Array) -> Array:
    """Closed form of the gradient in the logits: predicted minus target probabilities."""
    return np.asarray(np.exp(log_softmax(logits)) - distribution)


def kl_gradient_in_logits(logits: Array, reference: Array) -> Array:
    """Closed form of the gradient of KL(softmax(z) || reference) in z."""
    log_p = log_softmax(logits)
    ratio = log_p - np.log(reference)
    p = np.exp(log_p)
    return np.asarray(p * (ratio - (p * ratio).sum()))


def complex_step(function: Callable[[Array], complex], at: Array) -> Array:
    """Gradient of an analytic function without subtraction, exact to rounding."""
    step = 1e-30
    directions = np.eye(len(at)) * 1j * step
    return np.array([function(at + d).imag / step for d in directions])


def _loss(distribution: Array, logits: Array) -> complex:
    return complex(-(distribution * log_softmax(logits)).sum())


def _divergence(reference: Array, logits: Array) -> complex:
    """KL(softmax(z) || reference)."""
    log_p = log_softmax(logits)
    return complex((np.exp(log_p) * (log_p - np.log(reference))).sum())


def _random_logits(classes: int, seed: int) -> tuple[Array, Array]:
    """Random logits and a random distribution of the same size."""
    generator = np.random.default_rng([classes, seed])
    weights = generator.exponential(size=classes)
    return 3 * generator.standard_normal(classes), weights / weights.sum()


def _check_classes(classes: int, smoothing: float = 0.0) -> None:
    if classes < 2:
        raise ValueError(f"at least two classes are needed, not {classes}")
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing lies between 0 and 1, not {smoothing}")


@verifier(tolerance=1e-9)
def cross_entropy(logits: Sequence[float], target: int, smoothing: float = 0.0) -> float:
    """Cross-entropy of one prediction against its target class.

    Formula: −Σ q_k log p_k with p = softmax(z), q = (1 − ε)·onehot + ε/K; for ε = 0 it is
    logsumexp(z) − z_target.
    Unit: nat
    Source: szegedy2016, definition
    """
    _check_classes(len(logits), smoothing)
    if not 0 <= target < len(logits):
        raise ValueError(f"target must lie in 0..{len(logits) - 1}, not {target}")
    log_p = log_softmax(np.array(logits, dtype=float))
    return float(-(smoothed_target(len(logits), target, smoothing) * log_p).sum())


@verifier
def uniform(classes: int) -> float:
    """Loss of a model that gives every class the same probability.

    Formula: ln K.
    Unit: nat
    Source: definition
    """
    _check_classes(classes)
    return math.log(classes)


@verifier
def slope(probability: float, loss: str = "cross-entropy") -> float:
    """Derivative of a loss by the target's logit, when a sigmoid gives the target a probability.

    Formula: cross-entropy −ln p: p − 1; squared error (1 − p)²: −2·p·(1 − p)².
    Unit: 1
    Source: definition
    """
    if not 0 < probability < 1:
        raise ValueError("the probability must lie strictly between 0 and 1")
    slopes = {
        "cross-entropy": probability - 1,
        "squared": -2 * probability * (1 - probability) ** 2,
    }
    if loss not in slopes:
        raise ValueError(f"unknown loss {loss!r}; one of {', '.join(slopes)}")
    return slopes[loss]


@verifier
def exp_limit(dtype: str) -> float:
    """The largest logit whose exponential is still finite in a format.

    Formula: ln of the largest finite number.
    Unit: 1
    Source: IEEE 754
    """
    return math.log(formats.info(dtype)["max"])


@verifier
def softmax_zero_gap(dtype: str) -> float:
    """How far below the largest logit a class must lie for its softmax entry to round to zero.

    Formula: −ln of half the smallest subnormal; with the other classes far below the first, the
    softmax of a gap x is exp(−x) up to a factor that is one.
    Unit: 1
    Source: IEEE 754
    """
    return -math.log(formats.zeroed_below(dtype))


@verifier
def double_softmax_floor(classes: int) -> float:
    """The least loss that a network can reach whose probabilities are passed as logits.

    Formula: ln(1 + (K − 1)/e): the second softmax sees numbers in [0, 1] and at best a one-hot.
    Unit: nat
    Source: definition
    """
    _check_classes(classes)
    return math.log1p((classes - 1) / math.e)


@verifier
def smoothed_optimum(classes: int, smoothing: float) -> dict[str, float]:
    """Where label smoothing has its minimum: the prediction that equals the smoothed target.

    Formula: p_target = 1 − ε + ε/K, every other ε/K; the logits then differ by
    ln((K(1 − ε) + ε)/ε), and the loss left is the target's entropy.
    Unit: confidence=1, gap=1, loss=nat
    Source: szegedy2016
    """
    _check_classes(classes, smoothing)
    if not 0 < smoothing < 1:
        raise ValueError("without smoothing the optimum lies at infinity")
    other = smoothing / classes
    confidence = 1 - smoothing + other
    return {
        "confidence": confidence,
        "gap": math.log(confidence / other),
        "loss": -confidence * math.log(confidence) - (classes - 1) * other * math.log(other),
    }


@verifier
def gradient_is_p_minus_q() -> dict[str, object]:
    """Check the gradient of cross-entropy in the logits, with and without label smoothing.

    Formula: dL/dz = softmax(z) − q; its entries sum to zero and none exceeds one in size.
    Shapes: z, q [K].
    Unit: check
    Source: definition; derivative by complex step
    """
    for classes in (2, 5, 50):
        for seed in range(4):
            logits, _ = _random_logits(classes, seed)
            for smoothing in (0.0, 0.1, 0.5):
                q = smoothed_target(classes, seed % classes, smoothing)
                true = complex_step(partial(_loss, q), logits)
                ours = cross_entropy_gradient(logits, q)
                error = float(abs(true - ours).max())
                assert error < 1e-12, f"p − q is off by {error} at K={classes}, ε={smoothing}"
                assert abs(ours.sum()) < 1e-12, "the gradient does not sum to zero"
                assert abs(ours).max() <= 1, "an entry of the gradient exceeds one"
    return {"classes": "2, 5, 50", "seeds": 4, "smoothing": "0, 0.1, 0.5", "tolerance": 1e-12}


@verifier
def stable_form_is_exact() -> dict[str, object]:
    """Check log-softmax after subtracting the maximum against 50-digit arithmetic.

    Formula: log p_k = z_k − m − ln Σ exp(z_j − m), the same for every m, by exact decimals too.
    Unit: check
    Source: definition
    """
    cases = [(1000.0, 0.0, -1000.0), (1000.0, 999.5, 998.0), (-800.0, -801.0), (88.8, 88.8)]
    for logits in cases:
        with localcontext() as context:
            context.prec = 50
            exact = [Decimal(z) for z in logits]
            total = sum((z.exp() for z in exact), Decimal(0)).ln()
            truth = np.array([float(z - total) for z in exact])
            for m in (Decimal(-7), max(exact)):  # any shift, not the maximum alone
                moved = m + sum(((z - m).exp() for z in exact), Decimal(0)).ln()
                assert abs(moved - total) < Decimal("1e-40"), f"the shift {m} does not cancel"
        ours = log_softmax(np.array(logits))
        assert np.isfinite(ours).all(), f"log-softmax of {logits} is not finite"
        assert np.allclose(ours, truth, rtol=1e-12, atol=1e-12), f"log-softmax of {logits} is off"
    return {"logits": "from -1,000 to 1,000", "truth": "50 decimal digits", "tolerance": 1e-12}


@verifier
def cross_entropy_is_entropy_plus_kl() -> dict[str, object]:
    """Check that cross-entropy splits into the target's entropy and a KL divergence.

    Formula: H(q, p) = H(q) + KL(q ‖ p), and KL ≥ 0 with equality at p = q.
    Unit: check
    Source: definition
    """
    for seed in range(20):
        logits, q = _random_logits(10, seed)
        log_p = log_softmax(logits)
        entropy = -(q * np.log(q)).sum()
        kl = (q * (np.log(q) - log_p)).sum()
        assert abs(-(q * log_p).sum() - entropy - kl) < 1e-12, "H(q, p) ≠ H(q) + KL(q ‖ p)"
        assert kl > 0, "a KL divergence is not positive though p ≠ q"
        least = -(q * log_softmax(np.log(q))).sum()
        assert abs(least - entropy) < 1e-12, "at p = q the loss is not the entropy"
    return {"classes": 10, "seeds": 20, "tolerance": 1e-12}


@verifier
def kl_gradient() -> dict[str, object]:
    """Check the gradient of a KL penalty on the policy, KL(softmax(z) ‖ reference), in the logits.

    Formula: p_k·(ln(p_k/r_k) − KL).
    Shapes: z, p, r [K].
    Unit: check
    Source: definition; derivative by complex step
    """
    for classes in (2, 5, 50):
        for seed in range(4):
            logits, reference = _random_logits(classes, seed)
            true = complex_step(partial(_divergence, reference), logits)
            error = float(abs(true - kl_gradient_in_logits(logits, reference)).max())
            assert error < 1e-12, f"the closed form is off by {error} at K={classes}"
    return {"classes": "2, 5, 50", "seeds": 4, "tolerance": 1e-12}
