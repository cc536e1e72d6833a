"""What it costs to launch a kernel, and who pays: eager, compiled, and a replayed CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proofdeck import measurement
from verifiers.kernels import ceilings, decoder, timing


@measurement
def chain(ops: int = 64, size: int = 1024) -> dict[str, Any]:
    """A chain of additions on a tiny tensor, by the host's clock: the time is all launching.

    Formula: an entry is the time of the chain / its number of operations.
    Unit: s, graph speedup=1, compiled speedup=1
    Source: definition
    """
    timing.positive(ops=ops, size=size)
    x = timing.random(size)

    def run() -> Any:
        y = x
        for _ in range(ops):
            y = y + 1.0
        return y

    samples, errors, skipped = _timed(run, x.double() + ops, 1e-4)
    value = {name: s.median / ops for name, s in samples.items()}
    value |= _speedups(value)
    floor = 2 * size * 4 / ceilings.copy_rate()
    roofs = {name: floor / value[name] for name in samples}
    return timing.report(value, samples, errors, roofs, skipped, ops=ops, size=size)


@measurement
def step(layers: int = 16, width: int = 1024, heads: int = 16, tokens: int = 512) -> dict[str, Any]:
    """One decoding step of one sequence through small layers, by the host's clock.

    Formula: floor = bytes of weights and cache / copy bandwidth.
    Unit: s, graph speedup=1, compiled speedup=1
    Source: definition
    """
    timing.positive(layers=layers, tokens=tokens)
    stack = [decoder.layer(width, heads, seed=seed) for seed in range(layers)]
    bf16 = timing.dtype_of("bf16")
    caches = [decoder.cache(heads, tokens, 1, width // heads, seed=700 + 2 * n) for n in range(layers)]
    x = timing.random(1, 1, width, dtype=bf16, seed=69)

    def run(parts: Any = stack, start: Any = x, kept: Any = caches) -> Any:
        y = start
        for part, cache in zip(parts, kept, strict=True):
            y = decoder.forward(part, y, cache)
        return y

    wide = [(keys.double(), values.double()) for keys, values in caches]
    expected = run([decoder.double(part) for part in stack], x.double(), wide)
    del wide
    samples, errors, skipped = _timed(run, expected, 3e-2)
    value = {name: s.median for name, s in samples.items()}
    value |= _speedups(value)
    nbytes = sum(part.nbytes for part in stack) + sum(2 * keys.numel() * 2 for keys, _ in caches)
    value["floor"] = nbytes / ceilings.copy_rate()
    roofs = {name: value["floor"] / s.median for name, s in samples.items()}
    return timing.report(value, samples, errors, roofs, skipped, layers=layers, width=width, tokens=tokens)


def _timed(
    run: Callable[[], Any], expected: Any, limit: float
) -> tuple[dict[str, timing.Sample], dict[str, float], dict[str, str]]:
    errors: dict[str, float] = {}

    def checked(name: str, make: Callable[[], Callable[[], Any]]) -> Callable[[], Callable[[], Any]]:
        def made() -> Callable[[], Any]:
            function = make()
            errors[name] = timing.error(function(), expected, limit)
            return function

        return made

    makers = {"eager": lambda: run, "compiled": lambda: timing.compiled(run), "graph": lambda: _graph(run)}
    functions, skipped = timing.usable({name: checked(name, make) for name, make in makers.items()})
    return timing.wall(functions), errors, skipped


def _graph(run: Callable[[], Any]) -> Callable[[], Any]:
    """Capture `run` in a CUDA graph; return its replay."""
    import torch

    if timing.device() != "cuda":
        raise RuntimeError("graphs need a GPU")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = run()

    def replay() -> Any:
        graph.replay()
        return result

    return replay


def _speedups(value: dict[str, float]) -> dict[str, float]:
    return {
        f"{name} speedup": value["eager"] / value[name] for name in ("compiled", "graph") if name in value
    }
