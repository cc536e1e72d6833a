"""Witnesses of `verifiers/adaptive_softmax.py`: PyTorch's module, its parameters and counted FLOPs."""

from __future__ import annotations

import pytest

from proofdeck import witnesses
from verifiers import adaptive_softmax


@witnesses("adaptive_softmax.parameters")
@pytest.mark.parametrize("vocab, d, cutoffs, shrink", [(100, 16, (10, 40), 4.0), (60, 32, (20,), 2.0)])
def test_torch_has_as_many_parameters(vocab: int, d: int, cutoffs: tuple[int, ...], shrink: float) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.AdaptiveLogSoftmaxWithLoss(d, vocab, list(cutoffs), div_value=shrink)
    theirs = sum(p.numel() for p in module.parameters())
    assert adaptive_softmax.parameters(vocab, d, cutoffs, shrink) == theirs


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


def test_wrong_arguments_are_refused() -> None:
    for cutoffs in ((), (0, 5), (9, 5), (5, 100)):
        with pytest.raises(ValueError):
            adaptive_softmax.parameters(100, 16, cutoffs)
    with pytest.raises(ValueError):
        adaptive_softmax.parameters(100, 16, (10, 20, 30), 8.0)
