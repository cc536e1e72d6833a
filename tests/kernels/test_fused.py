"""Our Triton kernels: right in the interpreter on awkward sizes, and compiled for a GPU without one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("triton", reason="our kernels are written in Triton")
# the interpreter of some versions does what NumPy warns of
pytestmark = pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION", "ignore::DeprecationWarning")

F = torch.nn.functional
SIZES = [(1, 1), (3, 7), (5, 64), (2, 1000), (2, 4097)]


@pytest.fixture(scope="module")
def fused() -> Any:
    from verifiers.kernels import fused

    interpreted = type(fused._softmax).__name__ == "InterpretedFunction"
    if not torch.cuda.is_available() and not interpreted:
        pytest.skip("Triton was imported before its interpreter was chosen")
    return fused


def near(got: Any, expected: Any, limit: float = 1e-6) -> None:
    assert not got.isnan().any()
    assert float((got.double() - expected.double()).norm() / expected.double().norm()) < limit


def numbers(*shape: int, seed: int = 0) -> Any:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device)


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_rows(fused: Any, rows: int, columns: int) -> None:
    x, gain, shift = numbers(rows, columns), numbers(columns, seed=1), numbers(columns, seed=2)
    out = torch.full_like(x, float("nan"))
    near(fused.softmax(x * 10, out), torch.softmax(x.double() * 10, -1))
    if columns > 1:  # a single element has no variance: its norm is the shift alone
        expected = F.layer_norm(x.double(), (columns,), gain.double(), shift.double())
        near(fused.layer_norm(x, gain, shift, out.fill_(float("nan"))), expected, 1e-5)
    expected = F.rms_norm(x.double(), (columns,), gain.double(), 1e-5)
    near(fused.rms_norm(x, gain, out.fill_(float("nan"))), expected)
    near(fused.swiglu(x, x.flip(0), out.fill_(float("nan"))), F.silu(x.double()) * x.double().flip(0))


@pytest.mark.parametrize("columns", [5, 4096, 16385, 40000])
def test_cross_entropy_over_several_blocks(fused: Any, columns: int) -> None:
    logits = numbers(3, columns) * 5
    target = torch.tensor([0, columns // 2, columns - 1], device=logits.device)
    out = torch.full((3,), float("nan"), device=logits.device)
    expected = F.cross_entropy(logits.double(), target, reduction="none")
    near(fused.cross_entropy(logits, target, out), expected)


@pytest.mark.parametrize("heads", [1, 3, 8])
def test_rope_rotates_pairs(fused: Any, heads: int) -> None:
    x, angle = numbers(6, heads, 16), numbers(6, 8, seed=1)
    out = torch.full_like(x, float("nan"))
    got = fused.rope(x, angle.cos(), angle.sin(), out)
    pairs = torch.complex(x[..., :8].double(), x[..., 8:].double())
    turned = pairs * torch.polar(torch.ones_like(angle).double(), angle.double())[:, None]
    near(got, torch.cat((turned.real, turned.imag), -1))


@pytest.mark.parametrize("group", [1, 4, 20])
@pytest.mark.parametrize("tokens", [1, 63, 200])
def test_decode_splits_the_cache(fused: Any, group: int, tokens: int) -> None:
    q, k, v = numbers(2, group, 32), numbers(2, tokens, 32, seed=1), numbers(2, tokens, 32, seed=2)
    expected = F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    near(fused.decode(q, k, v), expected, 1e-5 if q.device.type == "cpu" else 2e-3)
    near(fused.decode(q, k, v, programs=1), expected, 1e-5 if q.device.type == "cpu" else 2e-3)


def test_decode_widens_int8(fused: Any) -> None:
    from verifiers.kernels import decode

    q, k, v = (numbers(2, n, 32, seed=n).half() for n in (4, 90, 91))
    v = v[:, :90]
    (k8, ks), (v8, vs) = decode._quantise(k), decode._quantise(v)
    wide = (k8 * ks[..., None]).double(), (v8 * vs[..., None]).double()
    near(fused.decode(q, k8, v8, (ks, vs)), F.scaled_dot_product_attention(q.double(), *wide), 3e-3)


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from verifiers.kernels import fused
h, f, i = "*bf16", "*fp32", "i32"
decode = dict(q="*fp16", part=f, top=f, total=f, tokens=i, chunk=i, scale="fp32")
blocks = dict(GROUP=4, ROWS=16, WIDTH=128, BLOCK=64)
jobs = [
    ("_softmax", dict(x=h, y=h, columns=i), dict(BLOCK=8192)),
    ("_layer_norm", dict(x=h, gain=h, shift=h, y=h, columns=i, eps="fp32"), dict(BLOCK=8192)),
    ("_rms_norm", dict(x=h, gain=h, y=h, columns=i, eps="fp32"), dict(BLOCK=8192)),
    ("_swiglu", dict(gate=h, up=h, y=h, count=i), dict(BLOCK=2048)),
    ("_cross_entropy", dict(logits=h, target="*i64", loss=f, columns=i), dict(BLOCK=8192)),
    ("_rope", dict(x=h, cosine=f, sine=f, y=h, heads=i), dict(HALF=64, HEADS=32)),
    ("_decode", decode | dict(k="*fp16", v="*fp16", k_scale="*fp16", v_scale="*fp16"), blocks | dict(QUANTISED=False)),
    ("_decode", decode | dict(k="*i8", v="*i8", k_scale=f, v_scale=f), blocks | dict(QUANTISED=True)),
]
for name, types, constants in jobs:
    kernel = getattr(fused, name)
    signature = {a: types.get(a, "constexpr") for a in kernel.arg_names}
    places = {(kernel.arg_names.index(a),): value for a, value in constants.items()}
    whole = {
        (n,): [["tt.divisibility", 16]] for n, a in enumerate(kernel.arg_names)
        if types.get(a, "")[:1] == "*" or a in ("columns", "count", "tokens", "chunk")
    }
    source = ASTSource(kernel, signature, places, whole)
    warps = fused._warps(constants["BLOCK"]) if constants.get("BLOCK", 0) == 8192 else 4
    text = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=dict(num_warps=warps)).asm["ptx"]
    assert ".v4" in text, f"{name}: no 16-byte access"
    assert ".local" not in text, f"{name}: registers spill"
    assert ("cp.async" in text) == (name in ("_cross_entropy", "_decode")), f"{name}: loops load ahead, rows need not"
    print(name)
"""


def test_kernels_compile_for_hopper_with_wide_accesses(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {
        "TRITON_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(p for p in (os.getcwd(), *sys.path) if p),
    }
    done = subprocess.run(
        [sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.split()) == 8
