"""Witnesses of `verifiers/adaptive_softmax.py`: PyTorch's module, its parameters and counted FLOPs."""

from __future__ import annotations

import pytest

from proofdeck import witnesses
from verifiers import adaptive_softmax


@witnesses("adaptive_softmax.parameters")
@pytest.mark.parametrize(
    "vocab, d, cutoffs, shrink",
    [(100, 16, (10, 40), 4.0), (60, 32, (20,), 2.0), (9, 8, (1, 4), 2.0), (40, 11, (10,), 1.1)],
)
def test_torch_has_as_many_parameters(vocab: int, d: int, cutoffs: tuple[int, ...], shrink: float) -> None:
    """A head of one token will do; and 1.1 in binary is above 1.1, so eleven hold it nine whole times."""
    torch = pytest.importorskip("torch")
    module = torch.nn.AdaptiveLogSoftmaxWithLoss(d, vocab, list(cutoffs), div_value=shrink)
    theirs = sum(p.numel() for p in module.parameters())
    assert adaptive_softmax.parameters(vocab, d, cutoffs, shrink) == theirs


def test_clusters_shrink_fourfold_unless_told_as_in_torch() -> None:
    torch = pytest.importorskip("torch")
    theirs = sum(p.numel() for p in torch.nn.AdaptiveLogSoftmaxWithLoss(48, 60, [20, 30]).parameters())
    assert adaptive_softmax.parameters(60, 48, (20, 30)) == theirs


@witnesses("adaptive_softmax.training_flops")
def test_torch_counts_the_same_flops_for_targets_of_known_clusters() -> None:
    """Equal frequencies, and one target of each token: the mean is exact."""
    torch = pytest.importorskip("torch")
    counter = pytest.importorskip("torch.utils.flop_counter").FlopCounterMode
    vocab, d, cutoffs = 100, 16, [10, 40]
    module = torch.nn.AdaptiveLogSoftmaxWithLoss(d, vocab, cutoffs, div_value=4.0)
    with counter(display=False) as counted:
        module(torch.ones(vocab, d), torch.arange(vocab))
    ours = adaptive_softmax.training_flops(vocab, d, cutoffs, exponent=0.0)
    assert ours * vocab == pytest.approx(counted.get_total_flops())


def test_a_small_vocabulary_by_hand() -> None:
    """Four tokens at 12 : 6 : 4 : 3 by Zipf's law; the head has two of them and the cluster as a third row.

    Four wide, that is 12 weights. The cluster, which 7 of 25 targets need, is one wide: 4 weights in and 2 out.
    """
    assert adaptive_softmax.training_flops(4, 4, (2,)) == pytest.approx(2 * (12 + 7 / 25 * (4 + 2)))


def test_wrong_arguments_are_refused() -> None:
    for cutoffs in ((), (0, 5), (9, 5), (5, 100)):
        with pytest.raises(ValueError):
            adaptive_softmax.parameters(100, 16, cutoffs)
    with pytest.raises(ValueError, match="width of cluster 2 must"):
        adaptive_softmax.parameters(100, 16, (10, 20, 30), 8.0)
    for shrink in (0.0, -4.0):
        with pytest.raises(ValueError, match=r"^shrink must"):
            adaptive_softmax.parameters(100, 16, (10,), shrink)
