"""Witnesses of `verifiers/offloading.py`: FLOPs of a block counted by PyTorch, bytes as printed."""

from __future__ import annotations

import pytest

from proofdeck import witnesses
from verifiers import offloading


@witnesses("offloading.block_times", "offloading.least_link")
@pytest.mark.parametrize("tokens", [64, 256])
def test_times_follow_from_counted_flops_and_printed_bytes(tokens: int) -> None:
    torch = pytest.importorskip("torch")
    counter = pytest.importorskip("torch.utils.flop_counter").FlopCounterMode
    d, heads = 768, 12
    layer = torch.nn.TransformerEncoderLayer(d, heads, 4 * d, batch_first=True, device="meta", dropout=0.0)
    layer.train()
    with counter(display=False) as counted:
        layer(torch.empty(1, tokens, d, device="meta"))
    seconds = counted.get_total_flops() / (0.5 * 312e12)
    found = offloading.block_times("gpt2", tokens, link=32e9)
    assert found["compute"] == pytest.approx(seconds)
    assert found["transfer"] == pytest.approx(34 * tokens * d / 32e9)
    assert found["share"] == pytest.approx(34 * tokens * d / 32e9 / seconds)
    link = offloading.least_link("gpt2", tokens)
    assert offloading.block_times("gpt2", tokens, link=link)["share"] == pytest.approx(1)


def test_wrong_arguments_are_refused() -> None:
    for wrong in ({"link": 0.0}, {"link": 1e9, "utilisation": 0.0}, {"link": 1e9, "device": "abacus"}):
        with pytest.raises(ValueError):
            offloading.block_times("gpt2", 64, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        offloading.least_link("gpt9", 64)
    with pytest.raises(ValueError, match=r"^utilisation must"):
        offloading.least_link("gpt2", 64, utilisation=1.1)
