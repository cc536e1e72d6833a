"""Witnesses of `verifiers/sequence_losses.py`: PyTorch's cross-entropy, slices and accumulated gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import calculus, sequence_losses

torch = pytest.importorskip("torch")
functional = torch.nn.functional


@witnesses("sequence_losses.shifted")
@pytest.mark.parametrize("length, prompt", [(8, 1), (7, 3), (2, 1), (9, 8)])
def test_positions_equal_those_of_slices(length: int, prompt: int) -> None:
    positions = torch.arange(length)
    logits, tokens = positions[prompt - 1 : -1].tolist(), positions[prompt:].tolist()
    assert [position + 1 for position in logits] == tokens
    ours = sequence_losses.shifted(length, prompt)
    assert (ours["first_logit"], ours["last_logit"]) == (logits[0], logits[-1])
    assert (ours["first_token"], ours["last_token"]) == (tokens[0], tokens[-1])
    assert ours["pairs"] == len(tokens)
    assert sequence_losses.shifted(length) == sequence_losses.shifted(length, 1)


@witnesses("sequence_losses.masked_mean")
def test_masked_mean_equals_torch() -> None:
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.tensor([1, -100, 3, 0, -100, 4])
    each = functional.cross_entropy(logits, labels.clamp(min=0), reduction="none").tolist()
    theirs = functional.cross_entropy(logits, labels).item()
    assert sequence_losses.masked_mean(each, labels.tolist()) == pytest.approx(theirs, rel=1e-12)
    assert sequence_losses.masked_mean(each, [0] * 6, ignored=-1) == pytest.approx(np.mean(each))


@witnesses("sequence_losses.ignored_labels")
def test_ignored_labels_do_in_torch_what_the_check_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sequence_losses.ignored_labels()["kept"] == 3
    logits = torch.randn(
        4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    ).requires_grad_()
    labels = torch.tensor([2, -100, 0, -100])
    functional.cross_entropy(logits, labels).backward()
    expected = torch.softmax(logits, 1).detach() - functional.one_hot(labels.clamp(min=0), 3)
    expected[labels == -100] = 0
    assert torch.allclose(logits.grad, expected / 2, atol=1e-15)
    assert functional.cross_entropy(logits, torch.full((4,), -100)).isnan()

    correct = sequence_losses.masked_loss

    def ignores_nothing(labels: list[int], ignored: int, z: np.ndarray) -> complex:
        return correct([max(label, 0) for label in labels], ignored, z)

    def over_all_rows(labels: list[int], ignored: int, z: np.ndarray) -> complex:
        kept = sum(label != ignored for label in labels)
        return correct(labels, ignored, z) * kept / len(labels)

    def zero_without_labels(labels: list[int], ignored: int, z: np.ndarray) -> complex:
        return correct(labels, ignored, z) if set(labels) - {ignored} else 0j

    def offset_by_length(labels: list[int], ignored: int, z: np.ndarray) -> complex:
        return correct(labels, ignored, z) + len(labels)

    for broken, told in (
        (ignores_nothing, "gradient with ignored rows"),
        (over_all_rows, "gradient with ignored rows"),
        (offset_by_length, "mean without ignored rows"),
        (zero_without_labels, "no label at all"),
    ):
        monkeypatch.setattr(sequence_losses, "masked_loss", broken)
        with pytest.raises(AssertionError, match=told):
            sequence_losses.ignored_labels()


@witnesses("sequence_losses.learned_transition")
@pytest.mark.parametrize("text, masked", [((0, 2, 2, 1, 3), ()), ((0, 2, 2, 1, 3), (3,)), ((0, 1, 1), ())])
def test_a_trained_bigram_equals_torchs(text: tuple[int, ...], masked: tuple[int, ...]) -> None:
    table = torch.zeros(4, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([-100 if t in masked else text[t] for t in range(1, len(text))])
    for _ in range(25):
        loss = functional.cross_entropy(table[list(text[:-1])], labels, reduction="sum")
        (slope,) = torch.autograd.grad(loss, table)
        with torch.no_grad():
            table -= 0.7 * slope
    theirs = torch.softmax(table[text[-2]], 0)[text[-1]].item()
    ours = sequence_losses.learned_transition(text, 4, masked, steps=25, learning_rate=0.7)
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_a_transition_learns_by_default_and_not_when_masked() -> None:
    # 300 steps at a rate of one, counted by the closed recursion of a single pair
    logit = other = 0.0
    for _ in range(300):
        share = np.exp(logit) / (np.exp(logit) + np.exp(other))
        logit, other = logit + 1 - share, other - (1 - share)
    expected = np.exp(logit) / (np.exp(logit) + np.exp(other))
    assert sequence_losses.learned_transition((0, 1), 2) == pytest.approx(expected, rel=1e-12)
    assert sequence_losses.learned_transition((0, 1), 2, masked=(1,)) == pytest.approx(0.5)
    assert sequence_losses.learned_transition((0, 1, 0), 2, steps=1) == pytest.approx(1 / (1 + np.exp(-1)))


@witnesses("sequence_losses.accumulated")
@pytest.mark.parametrize("sizes", [(3, 1), (4, 1, 3), (2, 2), (5,)])
def test_means_equal_those_of_torch_batches(sizes: tuple[int, ...]) -> None:
    losses = torch.rand(sum(sizes), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    batches = losses.split(list(sizes))
    ours = sequence_losses.accumulated([batch.tolist() for batch in batches])
    assert ours["token_mean"] == pytest.approx(losses.mean().item())
    assert ours["mean_of_means"] == pytest.approx(sum(batch.mean().item() for batch in batches) / len(sizes))
    weights = [1 / len(sizes) / size for size in sizes]
    assert ours["overweight"] == pytest.approx(max(weights) * sum(sizes))


@witnesses("sequence_losses.accumulation_is_exact")
def test_weighted_accumulation_equals_one_torch_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sequence_losses.accumulation_is_exact()["tokens"] == "4, 1, 3"
    sequence_losses.accumulation_is_exact(sizes=(3, 3))  # equal sizes: any weights do
    sequence_losses.accumulation_is_exact(sizes=(2,), tolerance=0.0)
    logits = torch.randn(8, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(8) % 5
    whole = logits.clone().requires_grad_()
    functional.cross_entropy(whole, labels).backward()
    cut = logits.clone().requires_grad_()
    for part in (slice(0, 4), slice(4, 5), slice(5, 8)):
        share = (part.stop - part.start) / 8
        (share * functional.cross_entropy(cut[part], labels[part])).backward()
    assert torch.allclose(cut.grad, whole.grad, atol=1e-15)

    with monkeypatch.context() as patch:
        patch.setattr(np, "average", lambda parts, axis, weights: np.mean(parts, axis=axis))
        with pytest.raises(AssertionError, match="weighted sum"):
            sequence_losses.accumulation_is_exact()
    correct = sequence_losses.masked_loss
    # a sum instead of a mean: then weights by size are wrong, and so are equal ones
    monkeypatch.setattr(sequence_losses, "masked_loss", lambda y, i, z: len(y) * correct(y, i, z))
    with pytest.raises(AssertionError, match="weighted sum"):
        sequence_losses.accumulation_is_exact()


def test_accumulation_tells_equal_from_unequal_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    # a loss that is the same for every part: equal weights would do, and the check must not believe it
    monkeypatch.setattr(sequence_losses, "masked_loss", lambda y, i, z: calculus.log_softmax(z[:5])[0])
    with pytest.raises(AssertionError, match="equal weights"):
        sequence_losses.accumulation_is_exact()
    sequence_losses.accumulation_is_exact(sizes=(2, 2), tolerance=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: sequence_losses.shifted(1),
        lambda: sequence_losses.shifted(3, 3),
        lambda: sequence_losses.shifted(3, 0),
        lambda: sequence_losses.masked_mean((1.0,), (-100,)),
        lambda: sequence_losses.learned_transition((0,), 2),
        lambda: sequence_losses.learned_transition((0, 0), 1),
        lambda: sequence_losses.learned_transition((0, 2), 2),
        lambda: sequence_losses.learned_transition((-1, 1), 2),
        lambda: sequence_losses.learned_transition((0, 0.5), 2),
        lambda: sequence_losses.learned_transition((0, 1), 2, masked=(0,)),
        lambda: sequence_losses.learned_transition((0, 1), 2, masked=(2,)),
        lambda: sequence_losses.masked_mean((-1.0, 2.0), (1, 2)),
        lambda: sequence_losses.masked_mean((1.0, 2.0), (1,)),
        lambda: sequence_losses.masked_mean((1.0, 2.0), (1, -1)),
        lambda: sequence_losses.masked_mean((1.0, 2.0), (1, 2), ignored=math.nan),
        lambda: sequence_losses.accumulated(((1.0,), (2.0, -1.0))),
        lambda: sequence_losses.learned_transition((0, 1), 2, steps=0),
        lambda: sequence_losses.learned_transition((0, 1), 2, learning_rate=0.0),
        lambda: sequence_losses.accumulated(()),
        lambda: sequence_losses.accumulated(((1.0,), ())),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
