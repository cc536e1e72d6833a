"""Witnesses of `verifiers/lora.py`: real modules, autograd, FLOP counters, optimiser states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import lora

torch = pytest.importorskip("torch")


class Adapted(torch.nn.Module):  # type: ignore[misc]
    """A frozen linear map with a low-rank branch, as a fine-tuning library would write it."""

    def __init__(self, linear: Any, rank: int, alpha: float = 16.0) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        place = {"device": linear.weight.device, "dtype": linear.weight.dtype}
        self.a = torch.nn.Linear(linear.in_features, rank, bias=False, **place)
        self.b = torch.nn.Linear(rank, linear.out_features, bias=False, **place)
        self.scale = alpha / rank
        torch.nn.init.kaiming_uniform_(self.a.weight, a=5**0.5)
        torch.nn.init.zeros_(self.b.weight)

    def forward(self, x: Any) -> Any:
        return self.linear(x) + self.scale * self.b(self.a(x))


def trainable(module: Any) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@witnesses("lora.parameters")
@pytest.mark.parametrize("rows, columns, rank", [(4096, 4096, 16), (11008, 4096, 8), (7, 5, 1)])
def test_parameters_of_a_module(rows: int, columns: int, rank: int) -> None:
    linear = torch.nn.Linear(columns, rows, bias=False, device="meta")
    full = trainable(linear)
    count = trainable(Adapted(linear, rank))
    ours = lora.parameters(rows, columns, rank)
    assert ours == {"adapter": count, "full": full, "ratio": full / count}


def llama_layer(width: int, kv: int, inner: int) -> Any:
    def linear(columns: int, rows: int) -> Any:
        return torch.nn.Linear(columns, rows, bias=False, device="meta")

    return torch.nn.ModuleDict(
        {
            "q": linear(width, width),
            "k": linear(width, kv),
            "v": linear(width, kv),
            "o": linear(width, width),
            "gate": linear(width, inner),
            "up": linear(width, inner),
            "down": linear(inner, width),
            "norm1": torch.nn.RMSNorm(width, device="meta"),
            "norm2": torch.nn.RMSNorm(width, device="meta"),
        }
    )


@witnesses("lora.adapter", "lora.training_states")
@pytest.mark.parametrize(
    "model, width, kv, inner, layers, vocab, published",
    [
        ("llama-2-7b", 4096, 4096, 11008, 32, 32000, 6_738_415_616),
        ("llama-3-8b", 4096, 1024, 14336, 32, 128256, 8_030_261_248),
        ("llama-2-70b", 8192, 1024, 28672, 80, 32000, 68_976_648_192),
    ],
)
@pytest.mark.parametrize("targets, names", [("qv", "qv"), ("attention", "qkvo"), ("all", "")])
def test_adapter_equals_modules_on_the_meta_device(
    model: str,
    width: int,
    kv: int,
    inner: int,
    layers: int,
    vocab: int,
    published: int,
    targets: str,
    names: str,
) -> None:
    layer = llama_layer(width, kv, inner)
    base = layers * trainable(layer) + 2 * vocab * width + width
    assert base == published
    wanted = list(names) or [n for n, m in layer.items() if isinstance(m, torch.nn.Linear)]
    count = layers * sum(trainable(Adapted(layer[name], 16)) for name in wanted)
    ours = lora.adapter(model, 16, targets)
    assert (ours["parameters"], ours["base"], ours["share"]) == (count, base, count / base)
    assert ours["bytes"] == torch.empty(count, dtype=torch.bfloat16, device="meta").nbytes
    # training bytes: every frozen weight in bf16, and what Adam really keeps for a trained one
    weight = torch.nn.Parameter(torch.zeros(1000))
    weight.grad = torch.ones(1000)
    adam = torch.optim.Adam([weight])
    adam.step()
    moments = sum(s.nbytes for s in adam.state[weight].values() if s.numel() == 1000)
    working = weight.detach().bfloat16()
    each = (2 * working.nbytes + weight.nbytes + moments) // 1000
    states = lora.training_states(model, 16, targets)
    assert states["full"] == each * base
    assert states["adapter"] == each * count
    assert states["lora"] == base * working.element_size() + each * count
    assert states["ratio"] == states["full"] / states["lora"]


@witnesses("lora.adapter", "lora.training_states")
@pytest.mark.parametrize(
    "model, published, others",
    [
        # what is no linear map: embeddings, positions, norms, routers, biases
        ("gpt2", 124_439_808, (50257 + 1024) * 768 + 25 * 2 * 768 + 12 * 9 * 768),
        ("mixtral-8x7b", 46_702_792_704, 2 * 32000 * 4096 + 65 * 4096 + 32 * 8 * 4096),
        ("deepseek-v2-lite", 15_706_484_224, 2 * 102400 * 2048 + 55 * 2048 + 27 * 512 + 26 * 64 * 2048),
    ],
)
def test_linear_maps_are_what_is_left_of_a_model(model: str, published: int, others: int) -> None:
    assert lora.linear_parameters(model) == published - others


@witnesses("lora.adapter")
def test_a_plain_feed_forward_block_has_no_gate() -> None:
    d = 768
    linears = [(d, d)] * 4 + [(d, 4 * d), (4 * d, d)]
    assert lora.adapter("gpt2", 4, "all")["parameters"] == 12 * 4 * sum(map(sum, linears))
    assert lora.adapter("gpt2", 1) == lora.adapter("gpt2", 1, "qv")
    assert lora.training_states("gpt2", 1) == lora.training_states("gpt2", 1, "qv")


@witnesses("lora.speedup")
def test_speedup_equals_counted_arithmetic() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    def flops(rank: int | None) -> int:
        linears = [torch.nn.Linear(64, 64, bias=False) for _ in range(4)]
        modules = linears if rank is None else [Adapted(m, rank) for m in linears]
        x = torch.randn(32, 64, requires_grad=True)
        with FlopCounterMode(display=False) as counter:
            torch.nn.Sequential(*modules)(x).sum().backward()
        return int(counter.get_total_flops())

    # the formula of the verifier on this stack: N frozen, n trained
    frozen, trained = 4 * 64 * 64, 4 * 2 * (64 + 64)
    assert flops(None) / flops(2) == pytest.approx(6 * frozen / (4 * frozen + 6 * trained))
    # and on a model: the look-up table is in N but costs no arithmetic, so leave it out
    layer = llama_layer(4096, 4096, 11008)
    linears = [m for m in layer.values() if isinstance(m, torch.nn.Linear)]
    head = torch.nn.Linear(4096, 32000, bias=False, device="meta")

    def step(module: Any) -> int:
        x = torch.empty(8, module.in_features, device="meta", requires_grad=True)
        with FlopCounterMode(display=False) as counter:
            module(x).sum().backward()
        return int(counter.get_total_flops())

    full = 32 * sum(step(m) for m in linears) + step(head)
    thin = 0
    for name, module in layer.items():
        if isinstance(module, torch.nn.Linear):
            module.requires_grad_(False)
            thin += 32 * step(module)
            if name in "qv":
                for shape in ((4096, 16), (16, 4096)):
                    thin += 32 * step(torch.nn.Linear(*shape, bias=False, device="meta"))
    thin += step(head.requires_grad_(False))
    assert lora.speedup("llama-2-7b", 16) == pytest.approx(full / thin, rel=1e-9)
    assert lora.speedup("llama-2-7b", 16, "all") < lora.speedup("llama-2-7b", 16) < 1.5


@witnesses("lora.first_step")
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("rank, alpha", [(8, 16.0), (16, 16.0), (64, 16.0)])
def test_first_step_of_an_optimiser_on_a_real_layer(rank: int, alpha: float, optimiser: str) -> None:
    torch.manual_seed(0)
    build = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimiser]
    x, target = torch.randn(64, 1024), torch.randn(64, 256)
    linear = torch.nn.Linear(1024, 256, bias=False)
    before = linear.weight.detach().clone()
    full = build(linear.parameters(), lr=1e-3)
    (linear(x) - target).square().mean().backward()
    gradient = linear.weight.grad.clone()
    full.step()
    gain = (gradient * (linear.weight.detach() - before)).sum()
    ratios = []
    for seed in range(4):
        torch.manual_seed(100 + seed)  # not the seed that drew W, or A would repeat it
        linear.weight.data.copy_(before)
        adapted = Adapted(linear, rank, alpha)
        step = build([p for p in adapted.parameters() if p.requires_grad], lr=1e-3)
        (adapted(x) - target).square().mean().backward()
        step.step()
        moved = adapted.scale * adapted.b.weight @ adapted.a.weight
        ratios.append(((gradient * moved).sum() / gain).item())
    ours = lora.first_step(rank, alpha, 1024, optimiser=optimiser)
    assert ours == pytest.approx(np.mean(ratios), rel=0.1)
    # the other scale is √r times as large, and plain descent feels it twice
    assert lora.first_step(rank, alpha, 1024) == lora.first_step(rank, alpha, 1024, "alpha/r", "adam")
    stable = lora.first_step(rank, alpha, 1024, "alpha/sqrt(r)", optimiser)
    assert stable == pytest.approx((rank if optimiser == "sgd" else rank**0.5) * ours)


@witnesses("lora.start_keeps_function")
def test_a_fresh_adapter_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lora.start_keeps_function()
    torch.manual_seed(0)
    linear = torch.nn.Linear(24, 16, bias=False)
    x = torch.randn(5, 24)
    expected = linear(x)
    adapted = Adapted(linear, 4)
    assert torch.equal(adapted(x), expected)
    adapted(x).square().sum().backward()
    assert adapted.linear.weight.grad is None
    assert not adapted.a.weight.grad.any() and adapted.b.weight.grad.any()
    # a saddle: the Hessian of a loss at A = B = 0 has both signs
    flat = torch.zeros(2 * 40, dtype=torch.float64)
    weight, side = linear.weight.detach().double(), x.double()

    def loss(v: Any) -> Any:
        a, b = v[:48].reshape(2, 24), v[48:].reshape(16, 2)
        return (side @ (weight + b @ a).T).square().sum()

    curvature = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))
    assert curvature.min() < -1 and curvature.max() > 1
    right = lora.factor_gradients
    with monkeypatch.context() as patch:
        patch.setattr(lora, "factor_gradients", lambda x, g, a, b, s: tuple(reversed(right(x, g, a, b, s))))
        with pytest.raises(AssertionError, match="A receives a gradient, not B"):
            lora.start_keeps_function()
    forward = lora.adapter_forward
    with monkeypatch.context() as patch:  # a bias that starts at one
        patch.setattr(lora, "adapter_forward", lambda *args: forward(*args) + 1)
        with pytest.raises(AssertionError, match="changes the output"):
            lora.start_keeps_function()
    for bent in (lambda x, w, a, b, s: x @ w.T, lambda x, w, a, b, s: forward(x, w, a, abs(b), s)):
        monkeypatch.setattr(lora, "adapter_forward", bent)
        with pytest.raises(AssertionError, match="saddle"):
            lora.start_keeps_function()


@witnesses("lora.start_keeps_function")
def test_factor_gradients_equal_autograd() -> None:
    x, w, a, b, g = lora.random_case(0, 3, 5, 16, 24)
    factors = [torch.tensor(part, requires_grad=True) for part in (a, b)]
    y = torch.tensor(x) @ (torch.tensor(w) + 0.7 * factors[1] @ factors[0]).T
    expected = torch.autograd.grad((y * torch.tensor(g)).sum(), factors)
    for ours, theirs in zip(lora.factor_gradients(x, g, a, b, 0.7), expected, strict=True):
        assert np.allclose(ours, theirs)


@witnesses("lora.merging_keeps_function")
def test_merged_module_equals_adapted_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lora.merging_keeps_function()
    torch.manual_seed(0)
    linear = torch.nn.Linear(24, 16, bias=False, dtype=torch.float64)
    adapted = Adapted(linear, 3, alpha=6.0)
    torch.nn.init.normal_(adapted.b.weight)
    x = torch.randn(5, 24, dtype=torch.float64)
    weights = [t.detach().numpy() for t in (linear.weight, adapted.a.weight, adapted.b.weight)]
    merged = lora.merge(*weights, 2.0)
    assert np.allclose(x.numpy() @ merged.T, adapted(x).detach().numpy(), atol=1e-13)
    with monkeypatch.context() as patch:
        patch.setattr(lora, "merge", lambda w, a, b, scale: w + b @ a)  # forgets alpha/r
        with pytest.raises(AssertionError, match="merged output"):
            lora.merging_keeps_function()
    case = lora.random_case

    def doubled(*args: Any) -> Any:
        x, w, a, b, g = case(*args)
        return x, w, np.repeat(a[:1], len(a), axis=0), b, g  # every row of A is the same

    monkeypatch.setattr(lora, "random_case", doubled)
    with pytest.raises(AssertionError, match="another rank"):
        lora.merging_keeps_function()


@pytest.mark.parametrize(
    "call",
    [
        lambda: lora.parameters(4, 4, 0),
        lambda: lora.parameters(0, 4, 1),
        lambda: lora.parameters(4, 0, 1),
        lambda: lora.first_step(0, 16.0, 4096),
        lambda: lora.first_step(8, 16.0, 0),
        lambda: lora.first_step(8, 0.0, 4096),
        lambda: lora.adapter("llama-2-7b", 0),
        lambda: lora.adapter("llama-2-7b", 8, "mlp"),
        lambda: lora.adapter("llama-9", 8),
        lambda: lora.adapter("mixtral-8x7b", 8),
        lambda: lora.adapter("deepseek-v3", 8),
        lambda: lora.training_states("llama-2-7b", -1),
        lambda: lora.speedup("llama-2-7b", 0),
        lambda: lora.first_step(8, -1.0, 4096),
        lambda: lora.first_step(8, 16.0, 4096, "alpha"),
        lambda: lora.first_step(8, 16.0, 4096, optimiser="lion"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
