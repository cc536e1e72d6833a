"""The loss over a text: shifted targets, masked labels and means over micro-batches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from proofdeck import verifier
from verifiers import arguments
from verifiers.calculus import Array, agree, complex_step, log_softmax

IGNORED = -100
"""The label that PyTorch's losses leave out by default."""


@verifier
def shifted(length: int, prompt: int = 1) -> dict[str, int]:
    """Which positions predict which tokens of a text, where the first `prompt` tokens are given.

    Formula: the logits at position t predict the token at t + 1; so positions prompt − 1 … length − 2
    predict the tokens prompt … length − 1.
    Unit: first_logit=1, last_logit=1, first_token=1, last_token=1, pairs=1
    Source: definition
    """
    arguments.counts(prompt=prompt)
    arguments.counts(prompt + 1, length=length)
    return {
        "first_logit": prompt - 1,
        "last_logit": length - 2,
        "first_token": prompt,
        "last_token": length - 1,
        "pairs": length - prompt,
    }


def masked_loss(labels: Sequence[int], ignored: int, logits: Array) -> complex:
    """Mean cross-entropy over the rows whose label is not ignored; logits [T·K] flat."""
    rows = logits.reshape(len(labels), len(logits) // len(labels))
    terms = [-log_softmax(rows[t])[label] for t, label in enumerate(labels) if label != ignored]
    return complex(np.sum(terms) / len(terms)) if terms else complex(math.nan)


@verifier(tolerance=1e-9)
def masked_mean(losses: Sequence[float], labels: Sequence[int], ignored: int = IGNORED) -> float:
    """Mean loss over the tokens whose label is not ignored.

    Formula: Σ_kept ℓ_t / number kept.
    Unit: nat
    Source: definition
    """
    arguments.non_negative(**{f"losses[{index}]": loss for index, loss in enumerate(losses)})
    arguments.counts(ignored, ignored=ignored)
    kept = [pair for pair in zip(losses, labels, strict=True) if pair[1] != ignored]
    arguments.counts(0, **{f"kept label {index}": label for index, (_, label) in enumerate(kept)})
    arguments.counts(kept=len(kept))
    return math.fsum(loss for loss, _ in kept) / len(kept)


@verifier
def ignored_labels(
    tokens: int = 6, classes: int = 5, kept: int = 3, seed: int = 0, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check what the label −100 does to a batch: no gradient there, and no mean without any label.

    Formula: the loss is the mean over the kept rows alone; the gradient of an ignored row is zero, that
    of a kept row (p − y)/kept; with no row kept it is 0/0, not a number.
    Unit: check
    Source: definition; derivative by complex step
    """
    generator = np.random.default_rng([tokens, classes, seed])
    logits = generator.standard_normal((tokens, classes))
    labels = generator.integers(classes, size=tokens)
    expected = np.exp([log_softmax(row) for row in logits])
    expected[np.arange(tokens), labels] -= 1
    expected[kept:] = 0
    labels[kept:] = IGNORED
    flat = logits.ravel()
    gradient = complex_step(lambda z: masked_loss(labels.tolist(), IGNORED, z), flat)
    agree(gradient.reshape(tokens, classes), expected / kept, tolerance, "the gradient with ignored rows")
    alone = masked_loss(labels[:kept].tolist(), IGNORED, logits[:kept].ravel())
    agree(masked_loss(labels.tolist(), IGNORED, flat), alone, tolerance, "the mean without ignored rows")
    assert np.isnan(masked_loss([IGNORED] * tokens, IGNORED, flat)), "a mean over no label at all"
    return {"tokens": tokens, "classes": classes, "kept": kept, "tolerance": tolerance}


@verifier
def learned_transition(
    text: Sequence[int],
    classes: int,
    masked: Sequence[int] = (),
    steps: int = 300,
    learning_rate: float = 1.0,
) -> float:
    """Train a bigram model on one text; return the probability of its last token after the one before.

    Formula: gradient descent on the sum of cross-entropies from zero logits, the targets at the positions
    `masked` left out of the loss; put the end-of-turn token last to see whether it is learned.
    Unit: 1
    Source: definition
    """
    arguments.counts(2, classes=classes, tokens=len(text))
    arguments.counts(steps=steps)
    arguments.positive(learning_rate=learning_rate)
    for index, token in enumerate(text):
        arguments.counts(0, **{f"text[{index}]": token, f"classes − 1 − text[{index}]": classes - 1 - token})
    for position in masked:
        arguments.counts(position=position, **{"positions after it, and itself": len(text) - position})
    table = np.zeros((classes, classes))
    pairs = [(text[t - 1], text[t]) for t in range(1, len(text)) if t not in masked]
    for _ in range(steps):
        gradient = np.zeros_like(table)
        for before, after in pairs:
            gradient[before] += np.exp(log_softmax(table[before]))
            gradient[before, after] -= 1
        table -= learning_rate * gradient
    return float(np.exp(log_softmax(table[text[-2]])[text[-1]]))


@verifier
def accumulated(micro_batches: Sequence[Sequence[float]]) -> dict[str, float]:
    """Loss of one batch that is cut into micro-batches with unequal numbers of counted tokens.

    Formula: right: Σ of all tokens' losses / number of tokens; mean of means: (1/M) Σ_m mean_m, which
    gives a token of a short micro-batch more weight; overweight = the largest weight of a token over 1/n.
    Unit: token_mean=nat, mean_of_means=nat, overweight=1
    Source: definition
    """
    arguments.counts(micro_batches=len(micro_batches))
    sizes = [len(batch) for batch in micro_batches]
    for batch in micro_batches:
        arguments.non_negative(**{f"losses[{index}]": loss for index, loss in enumerate(batch)})
    arguments.counts(**{f"tokens of micro-batch {index}": size for index, size in enumerate(sizes)})
    means = [math.fsum(batch) / len(batch) for batch in micro_batches]
    everything = math.fsum(x for batch in micro_batches for x in batch)
    return {
        "token_mean": everything / sum(sizes),
        "mean_of_means": math.fsum(means) / len(means),
        "overweight": sum(sizes) / len(sizes) / min(sizes),
    }


@verifier
def accumulation_is_exact(
    sizes: Sequence[int] = (4, 1, 3), classes: int = 5, seed: int = 0, tolerance: float = 1e-12
) -> dict[str, object]:
    """Check that gradients summed over micro-batches are those of the whole batch.

    Formula: Σ_m (n_m/n)·∇mean_m = ∇mean; with equal weights 1/M it holds for equal sizes alone.
    Unit: check
    Source: definition; derivative by complex step
    """
    generator = np.random.default_rng([classes, seed])
    logits = generator.standard_normal(classes)
    labels = generator.integers(classes, size=sum(sizes))

    def gradient(part: Array) -> Array:
        return complex_step(lambda z: masked_loss(part.tolist(), IGNORED, np.tile(z, len(part))), logits)

    parts = [gradient(part) for part in np.split(labels, np.cumsum(sizes)[:-1])]
    whole = gradient(labels)
    agree(np.average(parts, axis=0, weights=sizes), whole, tolerance, "the weighted sum")
    astray = float(abs(np.mean(parts, axis=0) - whole).max())
    equal = len(set(sizes)) == 1
    assert (astray <= tolerance) == equal, f"equal weights are off by {astray}"
    return {"tokens": ", ".join(map(str, sizes)), "classes": classes, "tolerance": tolerance}
