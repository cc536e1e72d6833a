"""Independent ways to the claims of verifiers/interpretability.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import interpretability


@witnesses("interpretability.logit_differences_are_log_probability_differences")
def test_log_softmax_of_torch_keeps_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    logits = 5 * torch.randn(50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logs = torch.log_softmax(logits, 0)
    assert torch.allclose(logs[:, None] - logs, logits[:, None] - logits, atol=1e-12)
    check = interpretability.logit_differences_are_log_probability_differences
    assert check(vocabulary=3, seeds=2) == {"vocabulary": 3, "seeds": 2, "tolerance": 1e-12}
    right, spreads = interpretability.log_softmax, []

    def spy(logits: np.ndarray) -> np.ndarray:
        spreads.append(logits.std())
        return right(logits)

    monkeypatch.setattr(interpretability, "log_softmax", spy)
    check(vocabulary=10_000, spread=7.0, seeds=1)
    assert np.allclose(spreads, 7, rtol=0.05)
    monkeypatch.setattr(interpretability, "log_softmax", lambda logits: np.exp(right(logits)))
    with pytest.raises(AssertionError, match="a difference"):
        check()


@witnesses("interpretability.direct_logit_attributions_add_up")
def test_gradient_of_a_logit_is_its_column_for_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    parts = torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    unembedding = torch.randn(8, 11, dtype=torch.float64)
    logit = (parts.sum(0) @ unembedding)[3]
    (gradient,) = torch.autograd.grad(logit, parts)
    each = (gradient * parts).sum(1)
    assert each.sum().item() == pytest.approx(logit.item())
    ours = interpretability.attributions(parts.detach().numpy(), unembedding.numpy())
    assert np.allclose(ours[:, 3], each.detach().numpy())
    tried = interpretability.direct_logit_attributions_add_up(parts=2, width=3, vocabulary=4)
    assert tried == {"parts": 2, "width": 3, "vocabulary": 4, "tolerance": 1e-11}
    monkeypatch.setattr(interpretability, "attributions", lambda parts, u: np.abs(parts) @ u)
    with pytest.raises(AssertionError, match="sum of attributions"):
        interpretability.direct_logit_attributions_add_up()


@witnesses("interpretability.mlp_is_a_sum_of_memories")
def test_network_of_torch_is_a_sum_over_its_units(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    up, down = (torch.nn.Linear(a, b, bias=False).double() for a, b in ((4, 9), (9, 4)))
    x = torch.randn(4, dtype=torch.float64)
    output = torch.nn.Sequential(up, torch.nn.Tanh(), down)(x).detach().numpy()
    keys, values = up.weight.detach().numpy(), down.weight.detach().numpy().T
    assert np.allclose(interpretability.mlp(x.numpy(), keys, values), output)
    units = [torch.tanh(up.weight[i] @ x) * down.weight[:, i] for i in range(9)]
    assert np.allclose(sum(units).detach().numpy(), output)
    tried = interpretability.mlp_is_a_sum_of_memories(width=2, hidden=3, tokens=2)
    assert tried == {"width": 2, "hidden": 3, "tokens": 2, "tolerance": 1e-12}
    monkeypatch.setattr(interpretability, "mlp", lambda x, keys, values: np.tanh(x @ keys.T @ values))
    with pytest.raises(AssertionError, match="the output"):
        interpretability.mlp_is_a_sum_of_memories()


@witnesses("interpretability.parallel_block_gap")
@pytest.mark.parametrize(("width", "hidden", "gain", "seed"), [(8, 32, 0.5, 1), (16, 20, 2.0, 2)])
def test_gap_equals_that_of_modules_of_torch(width: int, hidden: int, gain: float, seed: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    x, mixing = (torch.from_numpy(rng.standard_normal(shape)) for shape in (width, (width, width)))
    first, second = torch.from_numpy(rng.standard_normal((2, hidden, width)))
    attention = torch.nn.Linear(width, width, bias=False).double()
    network = torch.nn.Sequential(
        torch.nn.Linear(width, hidden, bias=False),
        torch.nn.Tanh(),
        torch.nn.Linear(hidden, width, bias=False),
    ).double()
    with torch.no_grad():
        attention.weight.copy_(mixing.T * gain / width**0.5)
        network[0].weight.copy_(first / width**0.5)
        network[2].weight.copy_(second.T * gain / width**0.5)
        together = x + attention(x) + network(x)
        y = x + attention(x)
        in_a_row = y + network(y)
        gap = (together - in_a_row).norm() / in_a_row.norm()
    assert interpretability.parallel_block_gap(width, hidden, gain, seed) == pytest.approx(
        gap.item(), rel=1e-9
    )


def test_gap_vanishes_with_the_layers_and_has_known_defaults() -> None:
    assert interpretability.parallel_block_gap(gain=1e-9) == pytest.approx(0, abs=1e-9)
    assert interpretability.parallel_block_gap() == interpretability.parallel_block_gap(64, 256, 0.5, 0)


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"hidden": 0}, {"gain": 0.0}, {"gain": -0.5}, {"gain": np.nan}]
)
def test_blocks_of_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        interpretability.parallel_block_gap(**wrong)  # type: ignore[arg-type]
    assert interpretability.parallel_block_gap(width=1, hidden=1) > 0


@witnesses("interpretability.steering_shows_the_projection_only")
def test_readout_of_torch_cannot_tell_the_directions_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    readout = torch.nn.Linear(32, 1).double()
    x, other = torch.randn(2, 32, dtype=torch.float64, generator=generator)
    feature = readout.weight[0].detach()
    other *= feature @ feature / (other @ feature)
    shifts = [readout(x + direction) - readout(x) for direction in (feature, other)]
    assert torch.allclose(shifts[0], shifts[1], atol=1e-12)
    assert torch.cosine_similarity(feature, other, 0) < 0.5
    ours = interpretability.steer(x.numpy(), other.numpy(), feature.numpy())
    assert ours == pytest.approx(shifts[1].item())
    tried = interpretability.steering_shows_the_projection_only(width=100, seeds=2)
    assert tried == {"width": 100, "seeds": 2, "tolerance": 1e-10}
    # in one dimension, every direction is the feature
    with pytest.raises(AssertionError, match="is the feature"):
        interpretability.steering_shows_the_projection_only(width=1, most_cosine=0.999)
    interpretability.steering_shows_the_projection_only(width=1, most_cosine=1.001)
    feature, other, _x = np.random.default_rng(0).standard_normal((3, 1))
    other *= feature @ feature / (other @ feature)
    cosine = float(abs(other @ feature) / np.linalg.norm(other) / np.linalg.norm(feature))
    with pytest.raises(AssertionError, match="is the feature"):
        interpretability.steering_shows_the_projection_only(width=1, seeds=1, most_cosine=cosine)
    monkeypatch.setattr(interpretability, "steer", lambda x, direction, readout: np.linalg.norm(direction))
    with pytest.raises(AssertionError, match="the shift"):
        interpretability.steering_shows_the_projection_only()


@witnesses("interpretability.linear_weights_are_out_by_in")
def test_linear_map_multiplies_by_the_transpose(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    decoder = torch.nn.Linear(9, 4, bias=False)
    one_hot = torch.eye(9)[2]
    assert torch.equal(decoder(one_hot), decoder.weight[:, 2])
    assert decoder.weight.norm(dim=0).shape == (9,)
    assert interpretability.linear_weight(3, 5).shape == (5, 3)
    assert interpretability.linear_weights_are_out_by_in(3, 5) == {"inputs": 3, "outputs": 5}
    right = interpretability.linear_weight
    monkeypatch.setattr(interpretability, "linear_weight", lambda *sizes: right(*sizes).T)
    with pytest.raises(AssertionError, match="shape"):
        interpretability.linear_weights_are_out_by_in()
