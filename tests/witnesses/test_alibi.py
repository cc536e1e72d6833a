"""Independent ways to the numbers of verifiers/alibi.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import alibi


def weights(slope: float, tokens: int) -> np.ndarray:
    """Attention of the last of many tokens with flat scores, by distance, by PyTorch's softmax."""
    torch = pytest.importorskip("torch")
    scores = -slope * torch.arange(tokens, dtype=torch.float64)
    return torch.softmax(scores, 0).numpy()


@witnesses("alibi.share_within", "alibi.reach", "alibi.mean_distance")
@pytest.mark.parametrize("slope", [0.5, 1 / 16, 1 / 256])
def test_closed_forms_equal_a_long_softmax(slope: float) -> None:
    found = weights(slope, 20_000)
    assert alibi.mean_distance(slope) == pytest.approx(found @ np.arange(20_000), rel=1e-9)
    cumulated = found.cumsum()
    for distance in (0, 1, 40):
        assert alibi.share_within(slope, distance) == pytest.approx(cumulated[distance], rel=1e-9)
    for share in (0.001, 0.5, 0.9, 0.99):
        assert alibi.reach(slope, share) == int((cumulated < share).sum())
    assert alibi.reach(slope) == alibi.reach(slope, 0.99) != alibi.reach(slope, 0.999)


@witnesses("alibi.only_the_mask_knows_direction")
def test_bias_of_the_last_token_falls_with_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    places = torch.arange(6, dtype=torch.float64)
    distance = (places[:, None] - places).abs()
    both = torch.softmax(-0.5 * distance, 1)
    assert torch.allclose(both, both.flip(0, 1), atol=1e-15)
    past = torch.softmax((-0.5 * distance).masked_fill(torch.ones(6, 6).triu(1) > 0, -torch.inf), 1)
    assert (past[-1].diff() > 0).all() and past[0, 1:].sum() == 0
    assert np.allclose(alibi.softmax(alibi.bias(6, 0.5)), both.numpy(), atol=1e-15)
    tried = alibi.only_the_mask_knows_direction(tokens=4, slopes=(0.25, 2))
    assert tried == {"tokens": 4, "slopes": "0.25, 2", "tolerance": 1e-15}
    right, softmax = alibi.bias, alibi.softmax
    one_sided = {
        "read backwards": lambda tokens, slope: np.tril(right(tokens, slope)),
        "a nearer token": lambda tokens, slope: right(tokens, slope) - np.eye(tokens) * slope * 2,
    }
    for message, broken in one_sided.items():
        monkeypatch.setattr(alibi, "bias", broken)
        with pytest.raises(AssertionError, match=message):
            alibi.only_the_mask_knows_direction()
    monkeypatch.setattr(alibi, "bias", lambda tokens, slope: np.zeros((tokens, tokens)))
    with pytest.raises(AssertionError, match="a nearer token"):
        alibi.only_the_mask_knows_direction()
    monkeypatch.undo()
    leak = np.eye(16, k=15) * 1e-9
    monkeypatch.setattr(alibi, "softmax", lambda scores: softmax(scores) + leak * np.isinf(scores))
    with pytest.raises(AssertionError, match="a later token"):
        alibi.only_the_mask_knows_direction()


@pytest.mark.parametrize("share", [1.0, 1.3])
def test_no_distance_holds_all_attention(share: float) -> None:
    with pytest.raises(ValueError, match="1 - share"):
        alibi.reach(1.0, share)


@pytest.mark.parametrize(
    "call",
    [
        lambda: alibi.slope(0, 8),
        lambda: alibi.slope(9, 8),
        lambda: alibi.share_within(0.0, 1),
        lambda: alibi.share_within(1.0, -1),
        lambda: alibi.reach(0.0),
        lambda: alibi.reach(1.0, 0.0),
        lambda: alibi.mean_distance(0.0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


@witnesses("alibi.slope")
@pytest.mark.parametrize("heads", [1, 2, 6, 8, 12, 16, 20])
def test_slopes_equal_those_of_bloom(heads: int) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from transformers.models.bloom import modeling_bloom

    biases = modeling_bloom.build_alibi_tensor(torch.ones(1, 2), heads, torch.float64)
    theirs = biases.reshape(heads, 2)[:, 1].tolist()
    assert [alibi.slope(head, heads) for head in range(1, heads + 1)] == pytest.approx(theirs, rel=1e-6)
