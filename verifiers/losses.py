"""Cross-entropy, its gradient in the logits, label smoothing and the KL penalty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, localcontext
from functools import partial

import numpy as np

from proofdeck import verifier
from verifiers import arguments, formats
from verifiers.calculus import Array, agree, confirm_gradient, listed, log_softmax, random_logits, vector


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


def _loss(distribution: Array, logits: Array) -> complex:
    return complex(-(distribution * log_softmax(logits)).sum())


def _divergence(reference: Array, logits: Array) -> complex:
    """KL(softmax(z) || reference)."""
    log_p = log_softmax(logits)
    return complex((np.exp(log_p) * (log_p - np.log(reference))).sum())


def _target_log_p(logits: Sequence[float], target: int) -> Array:
    """Log-probabilities, after a look at the target."""
    arguments.counts(2, classes=len(logits))
    arguments.counts(0, target=target, **{"classes − 1 − target": len(logits) - 1 - target})
    return log_softmax(vector("logits", logits))


@verifier(tolerance=1e-9)
def cross_entropy(logits: Sequence[float], target: int, smoothing: float = 0.0) -> float:
    """Cross-entropy of one prediction against its target class.

    Formula: −Σ q_k log p_k with p = softmax(z), q = (1 − ε)·onehot + ε/K; for ε = 0 it is
    logsumexp(z) − z_target.
    Unit: nat
    Source: szegedy2016, definition
    """
    arguments.shares(smoothing=smoothing)
    log_p = _target_log_p(logits, target)
    return float(-(smoothed_target(len(logits), target, smoothing) * log_p).sum())


@verifier
def uniform(classes: int) -> float:
    """Loss of a model that gives every class the same probability.

    Formula: ln K.
    Unit: nat
    Source: definition
    """
    arguments.counts(2, classes=classes)
    return math.log(classes)


@verifier
def slope(probability: float, loss: str = "cross-entropy") -> float:
    """Derivative of a loss by the target's logit, when a sigmoid gives the target a probability.

    Formula: cross-entropy −ln p: p − 1; squared error (1 − p)²: −2·p·(1 − p)². `objectives.slope` has a
    softmax instead, and the errors of all its classes.
    Unit: 1
    Source: definition
    """
    arguments.positive(probability=probability, **{"1 − probability": 1 - probability})
    slopes = {
        "cross-entropy": probability - 1,
        "squared": -2 * probability * (1 - probability) ** 2,
    }
    return slopes[arguments.one_of("loss", loss, slopes)]


@verifier
def exp_limit(dtype: str) -> float:
    """The logit whose exponential is the largest finite number of a format.

    Formula: ln of that number.
    Unit: 1
    Source: IEEE 754
    """
    return math.log(formats.info(dtype)["max"])


@verifier
def softmax_zero_gap(dtype: str) -> float:
    """How far below the largest logit a class must lie for its softmax entry to round to zero.

    Formula: −ln of half the smallest subnormal, where subnormals are not flushed to zero; with the other
    classes far below the first, the softmax of a gap x is exp(−x) up to a factor that is one.
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
    arguments.counts(2, classes=classes)
    return math.log1p((classes - 1) / math.e)


@verifier
def smoothed_optimum(classes: int, smoothing: float) -> dict[str, float]:
    """Where label smoothing has its minimum: the prediction that equals the smoothed target.

    Formula: p_target = 1 − ε + ε/K, every other ε/K; the logits then differ by
    ln((K(1 − ε) + ε)/ε), and the loss left is the target's entropy.
    Unit: confidence=1, gap=1, loss=nat
    Source: szegedy2016
    """
    arguments.counts(2, classes=classes)
    # without smoothing the optimum lies at infinity
    arguments.positive(smoothing=smoothing, **{"1 − smoothing": 1 - smoothing})
    other = smoothing / classes
    confidence = 1 - smoothing + other
    return {
        "confidence": confidence,
        "gap": math.log(confidence / other),
        "loss": -confidence * math.log(confidence) - (classes - 1) * other * math.log(other),
    }


@verifier
def gradient_is_p_minus_q(
    classes: Sequence[int] = (2, 5, 50),
    seeds: int = 4,
    smoothing: Sequence[float] = (0.0, 0.1, 0.5),
    tolerance: float = 1e-12,
) -> dict[str, object]:
    """Check the gradient of cross-entropy in the logits, with and without label smoothing.

    Formula: dL/dz = softmax(z) − q; its entries sum to zero and none exceeds one in size.
    Shapes: z, q [K].
    Unit: check
    Source: definition; derivative by complex step
    """
    for size in classes:
        for seed in range(seeds):
            logits, _ = random_logits(size, seed)
            for share in smoothing:
                q = smoothed_target(size, seed % size, share)
                ours = cross_entropy_gradient(logits, q)
                confirm_gradient(ours, partial(_loss, q), logits, tolerance, "p − q")
                agree(ours.sum(), 0, tolerance, "the sum of the gradient")
                agree(np.clip(ours, -1, 1), ours, 0.0, "an entry clipped to one")
    tried = {"classes": listed(classes), "seeds": seeds, "smoothing": listed(smoothing)}
    return tried | {"tolerance": tolerance}


@verifier
def stable_form_is_exact(
    cases: Sequence[Sequence[float]] = ((1000, 0, -1000), (1000, 999.5, 998), (-800, -801), (88.8, 88.8)),
    shifts: Sequence[float] = (0.0, -7.0, 88.0),
    digits: int = 50,
    tolerance: float = 1e-12,
    shift_tolerance: float = 1e-40,
) -> dict[str, object]:
    """Check log-softmax after subtracting the maximum against 50-digit arithmetic.

    Formula: log p_k = z_k − m − ln Σ exp(z_j − m), the same for every m, by exact decimals too.
    Unit: check
    Source: definition
    """
    for logits in cases:
        exact = [Decimal(z) for z in logits]
        with localcontext(prec=digits):
            total = sum((z.exp() for z in exact), Decimal()).ln()
            truth = [float(z - total) for z in exact]
            for m in map(Decimal, shifts):  # any shift, not the maximum alone
                moved = m + sum(((z - m).exp() for z in exact), Decimal()).ln()
                agree(float(moved - total), 0.0, shift_tolerance, f"the sum shifted by {m}")
        agree(log_softmax(np.array(logits)), truth, tolerance, f"log-softmax of {logits}")
    flat = [z for logits in cases for z in logits]
    return {
        "logits": f"from {min(flat):,} to {max(flat):,}",
        "truth": f"{digits} decimal digits",
        "tolerance": tolerance,
    }


@verifier
def cross_entropy_is_entropy_plus_kl(
    classes: int = 10, seeds: int = 20, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check that cross-entropy splits into the target's entropy and a KL divergence.

    Formula: H(q, p) = H(q) + KL(q ‖ p), and KL ≥ 0 with equality at p = q.
    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        logits, q = random_logits(classes, seed)
        log_p = log_softmax(logits)
        entropy = -(q * np.log(q)).sum()
        kl = (q * (np.log(q) - log_p)).sum()
        agree(-(q * log_p).sum(), entropy + kl, tolerance, "H(q, p) = H(q) + KL(q ‖ p)")
        assert kl > 0, "a KL divergence is not positive though p ≠ q"
        agree(-(q * log_softmax(np.log(q))).sum(), entropy, tolerance, "the loss at p = q")
    return {"classes": classes, "seeds": seeds, "tolerance": tolerance}


@verifier
def kl_gradient(
    classes: Sequence[int] = (2, 5, 50), seeds: int = 4, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check the gradient of a KL penalty on the policy, KL(softmax(z) ‖ reference), in the logits.

    Formula: p_k·(ln(p_k/r_k) − KL).
    Shapes: z, p, r [K].
    Unit: check
    Source: definition; derivative by complex step
    """
    for size in classes:
        for seed in range(seeds):
            logits, reference = random_logits(size, seed)
            ours = kl_gradient_in_logits(logits, reference)
            confirm_gradient(ours, partial(_divergence, reference), logits, tolerance, "the closed form")
    return {"classes": listed(classes), "seeds": seeds, "tolerance": tolerance}
