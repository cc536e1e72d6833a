"""Independent ways to the claims of verifiers/attention_dispatch.py."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import attention_dispatch

torch = pytest.importorskip("torch")
fused = torch.nn.functional.scaled_dot_product_attention


@witnesses("attention_dispatch.causal_flag_means_upper_left")
def test_first_of_two_queries_gets_the_first_value_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = torch.randn(1, 1, 2, 4), torch.randn(1, 1, 5, 4), torch.randn(1, 1, 5, 4)
    flagged = fused(q, k, v, is_causal=True)
    assert torch.allclose(flagged[0, 0, 0], v[0, 0, 0])
    scores = q[0, 0, 1] @ k[0, 0, :2].T / 2
    assert torch.allclose(flagged[0, 0, 1], torch.softmax(scores, 0) @ v[0, 0, :2], atol=1e-6)
    tried = attention_dispatch.causal_flag_means_upper_left(queries=(3,), keys=3)
    assert tried == {"queries": "3", "keys": 3, "tolerance": 1e-12}
    right = attention_dispatch.visible

    def swapped(queries: int, keys: int, corner: str) -> np.ndarray:
        return right(queries, keys, "lower-right" if corner == "upper-left" else "upper-left")

    def one_corner(queries: int, keys: int, corner: str) -> np.ndarray:
        return right(queries, keys, "upper-left")

    rng = np.random.default_rng(0)
    q = torch.from_numpy(rng.standard_normal((5, 8)))[None]
    k, v = torch.from_numpy(rng.standard_normal((2, 5, 8)))[:, None]
    masked = fused(q, k, v, attn_mask=torch.ones(5, 5, dtype=torch.bool).tril())
    rounding = (fused(q, k, v, is_causal=True) - masked).abs().max().item()
    attention_dispatch.causal_flag_means_upper_left(queries=(5,), tolerance=rounding)

    def nearly(queries: int, keys: int, corner: str) -> np.ndarray:
        mask = right(queries, keys, "upper-left")
        mask[-1] |= corner == "lower-right"
        return mask

    monkeypatch.setattr(attention_dispatch, "visible", nearly)
    attention_dispatch.causal_flag_means_upper_left(queries=(2,))
    for message, broken in {"flagged": swapped, "misplaced": one_corner}.items():
        monkeypatch.setattr(attention_dispatch, "visible", broken)
        with pytest.raises(AssertionError, match=message):
            attention_dispatch.causal_flag_means_upper_left()


@witnesses("attention_dispatch.kernel_flag_tells_a_setting_only")
@pytest.mark.parametrize("before", [True, False])
def test_flag_follows_a_context_without_any_device(before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside `sdpa_kernel`, PyTorch's own way of choosing, the flag is what was chosen."""
    kernels = torch.nn.attention.SDPBackend
    for kernel, expected in ((kernels.MATH, False), (kernels.FLASH_ATTENTION, True)):
        with torch.nn.attention.sdpa_kernel(kernel):
            assert attention_dispatch.flag() is expected
    initially = torch.backends.cuda.flash_sdp_enabled()
    try:
        torch.backends.cuda.enable_flash_sdp(before)
        assert attention_dispatch.kernel_flag_tells_a_setting_only() == {"settings": "on, off"}
        assert torch.backends.cuda.flash_sdp_enabled() is before
        for device in (True, False):
            monkeypatch.setattr(attention_dispatch, "flag", lambda device=device: device)
            with pytest.raises(AssertionError, match="says otherwise"):
                attention_dispatch.kernel_flag_tells_a_setting_only()
    finally:
        torch.backends.cuda.enable_flash_sdp(initially)


def test_a_refusal_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dispatcher warns why it refuses; a check must not."""

    def refuses(*_tensors: object) -> None:
        warnings.warn("dropout is not supported", UserWarning, stacklevel=1)
        raise RuntimeError("no available kernel")

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", refuses)
    assert attention_dispatch.runs_fused((1, 1, 1, 1)) is False


@witnesses("attention_dispatch.fused_kernel_takes_only_some_calls")
def test_dispatcher_of_torch_chooses_the_same_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dispatcher's own choice, in numbers: 0 is plain mathematics, 1 the flash kernel."""
    q = torch.ones(1, 2, 4, 8)
    mask = torch.zeros(4, 4)
    learned = torch.zeros(4, 4, requires_grad=True)
    calls = {
        "plain": {},
        "mask": {"attn_mask": mask},
        "dropout": {"dropout_p": 0.1},
        "learned": {"attn_mask": learned},
    }
    for name, options in calls.items():
        chosen = torch._fused_sdp_choice(q, q, q, **options)
        assert chosen == (1 if name in ("plain", "mask") else 0)
        assert attention_dispatch.runs_fused((1, 2, 4, 8), **options) is (chosen == 1)
    tried = attention_dispatch.fused_kernel_takes_only_some_calls(dropout=0.5)
    assert tried == {"refused": "dropout, learned mask", "dropout": 0.5}
    right = attention_dispatch.runs_fused
    broken = {
        "refuses a plain": lambda shape, **options: bool(options) and right(shape, **options),
        "refuses a mask": lambda shape, **options: right(shape, **options) and "attn_mask" not in options,
        "takes dropout": lambda shape, **options: right(shape, **options) or "dropout_p" in options,
        "takes a learned": lambda shape, **options: right(shape) and "dropout_p" not in options,
    }
    for message, function in broken.items():
        monkeypatch.setattr(attention_dispatch, "runs_fused", function)
        with pytest.raises(AssertionError, match=message):
            attention_dispatch.fused_kernel_takes_only_some_calls()
