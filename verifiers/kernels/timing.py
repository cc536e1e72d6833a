"""Timing on a device: caches flushed, repetitions interleaved, results checked before the clock starts."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

FLUSH = 512 * 2**20
"""Bytes read or written before every repetition: several times the L2 cache of any GPU. Meanwhile, some 150 µs,
the host launches the kernels to be timed, so that the device need not wait for it between them."""
SECONDS = {"cuda": 0.4, "cpu": 0.004}
"""How long a variant is timed, all passes together."""
CALLS = {"cuda": 50, "cpu": 3}
"""Calls back to back where the host's clock is read."""
WARM = 0.05
"""Seconds that a variant runs before its clock starts: an idle GPU's clock is a fraction of its full one."""
LEAST = 10
"""Repetitions in a pass, of whatever takes less than `LONG`."""
LONG = 0.05
PASSES = 2
"""Every variant is timed in so many passes, far apart, so that a drift of the clock shows."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Repeated timings of one variant."""

    median: float
    """Seconds."""
    spread: float
    """Interquartile range over the median."""
    repeat: float
    """Difference of the first and the last pass's medians over the median."""
    count: int
    host: float = 0.0
    """Seconds in which the host launched a run; where longer than the run, the device waited for the host."""


def device() -> str:
    """Return where measurements run: the GPU if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def random(*shape: int, dtype: Any = None, seed: int = 0, scale: float = 1.0) -> Any:
    """Return normal random numbers: zeros would be timed too fast."""
    import torch

    generator = torch.Generator(device()).manual_seed(seed)
    numbers = torch.randn(*shape, generator=generator, device=device(), dtype=torch.float32)
    return numbers.mul_(scale).to(dtype or torch.float32)


def dtype_of(name: str) -> Any:
    """Return the data type that cards call `name`; tf32 is a way to multiply fp32."""
    import torch

    known = {
        "fp64": torch.float64, "fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16,
        "bf16": torch.bfloat16, "fp8": torch.float8_e4m3fn, "int8": torch.int8,
    }  # fmt: skip
    if name not in known:
        raise ValueError(f"unknown data type {name!r}; known: {', '.join(known)}")
    return known[name]


def positive(**arguments: int | float) -> None:
    """Raise ValueError for a size that is no size."""
    for name, value in arguments.items():
        if value <= 0:
            raise ValueError(f"{name} must be positive, not {value}")


def error(got: Any, reference: Any, limit: float) -> float:
    """Return the relative error of `got` in the Frobenius norm; raise AssertionError above `limit`."""
    difference = (got.double() - reference.double()).norm() / reference.double().norm()
    found = float(difference)
    if not found <= limit:  # NaN fails too
        raise AssertionError(f"relative error {found:.2e} against float64 exceeds {limit:.0e}")
    return found


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile for one shape, anew."""
    import torch

    torch._dynamo.reset()
    result: Callable[..., Any] = torch.compile(function, dynamic=False)
    return result


def usable(
    makers: Mapping[str, Callable[[], Callable[[], Any]]],
) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """Make and run every variant once; return those that run here, and why the others do not.

    A wrong result (AssertionError) is never passed over.
    """
    import torch

    functions: dict[str, Callable[[], Any]] = {}
    skipped: dict[str, str] = {}
    # what only just fits would fail once it is timed, beside the buffer that flushes the cache
    spare = torch.empty(FLUSH if device() == "cuda" else 0, dtype=torch.int8, device=device())
    for name, make in makers.items():
        try:
            function = make()
            function()
            synchronise()
            functions[name] = function
        except AssertionError:
            raise
        except Exception as problem:  # no such kernel, out of memory, no compiler: recorded as such
            skipped[name] = f"{type(problem).__name__}: {problem}".split("\n")[0][:160]
        if name in skipped:
            gc.collect()  # whatever its frames held
        release()
    del spare
    if not functions:
        raise RuntimeError(f"no variant runs here: {skipped}")
    return functions, skipped


def release() -> None:
    """Give cached device memory back."""
    import torch

    gc.collect(1)  # what a variant left is young; to search all of PyTorch and its compiler would take longer
    if device() == "cuda":
        torch.cuda.empty_cache()


def synchronise() -> None:
    import torch

    if device() == "cuda":
        torch.cuda.synchronize()


def clock(
    functions: Mapping[str, Callable[[], Any]], seconds: float = 0.0, writes: bool = False
) -> dict[str, Sample]:
    """Time every variant on the device's own clock, about `seconds` each, the passes interleaved.

    `writes`: what is timed writes about as much as it reads, and leaves the last of it in the cache. It must
    find the cache full of another's writes, or part of its own would never be timed. A kernel that mostly
    reads must find the cache clean, or it would be charged for writing back what the flush left.
    """
    cuda = device() == "cuda"
    seconds = seconds or SECONDS[device()]
    counts, hosts = {}, {}
    for name, function in functions.items():
        hosts[name] = _host(function)
        once = statistics.median(_series(function, 3, writes))
        if cuda:
            once = statistics.median(_series(function, _count(once, WARM, 3), writes))
        counts[name] = _count(once, seconds / PASSES, LEAST if once < LONG else 4)
    passes: dict[str, list[list[float]]] = {name: [] for name in functions}
    for _ in range(PASSES):
        for name, function in functions.items():
            _series(function, 1, writes)  # memory that another variant had may have to be found anew
            passes[name].append(_series(function, counts[name], writes))
    return {name: replace(sample(runs), host=hosts[name]) for name, runs in passes.items()}


def _host(function: Callable[[], Any]) -> float:
    """Return the least seconds that the host needs to launch `function`, of three times."""
    times = []
    for _ in range(3):
        synchronise()
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    synchronise()
    return min(times)


def wall(functions: Mapping[str, Callable[[], Any]], calls: int = 0, repeats: int = 15) -> dict[str, Sample]:
    """Time every variant on the host's clock, `calls` back to back: what launching them costs shows."""
    calls = calls or CALLS[device()]
    passes: dict[str, list[list[float]]] = {name: [] for name in functions}
    for function in functions.values():
        _back_to_back(function, calls)
    for _ in range(PASSES):
        for name, function in functions.items():
            passes[name].append([_back_to_back(function, calls) for _ in range(repeats)])
    return {name: sample(runs) for name, runs in passes.items()}


def _back_to_back(function: Callable[[], Any], calls: int) -> float:
    synchronise()
    begin = time.perf_counter()
    for _ in range(calls):
        function()
    synchronise()
    return (time.perf_counter() - begin) / calls


def _count(once: float, seconds: float, least: int) -> int:
    return max(least, min(200, math.ceil(seconds / max(once, 1e-7))))


def _series(function: Callable[[], Any], count: int, writes: bool = False) -> list[float]:
    """Return the seconds of each of `count` runs, each with a cold L2 cache."""
    import torch

    if device() != "cuda":
        times = []
        for _ in range(count):
            begin = time.perf_counter()
            function()
            times.append(time.perf_counter() - begin)
        return times
    flush = torch.zeros(FLUSH // 4, device="cuda")
    events = [
        (torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(count)
    ]
    torch.cuda.synchronize()
    for begin_event, end_event in events:
        if writes:
            flush.zero_()
        else:
            flush.sum()
        begin_event.record()
        function()
        end_event.record()
    torch.cuda.synchronize()
    return [begin_event.elapsed_time(end_event) / 1e3 for begin_event, end_event in events]


def sample(passes: Sequence[Sequence[float]]) -> Sample:
    """Summarise the timings of several passes.

    >>> sample([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    Sample(median=2.0, spread=0.0, repeat=0.0, count=6, host=0.0)
    """
    times = [t for run in passes for t in run]
    median = statistics.median(times)
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    first, last = statistics.median(passes[0]), statistics.median(passes[-1])
    return Sample(median, (high - low) / median, abs(last - first) / median, len(times))


def peak(function: Callable[[], Any]) -> int | None:
    """Return the bytes that one run allocates at most beyond what is held; None where nobody counts them."""
    import torch

    if device() != "cuda":
        return None
    release()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    result = function()
    torch.cuda.synchronize()
    del result
    return int(torch.cuda.max_memory_allocated()) - held


def report(
    value: Any,
    samples: Mapping[str, Sample],
    errors: Mapping[str, float],
    roofs: Mapping[str, float],
    skipped: Mapping[str, str] | None = None,
    **conditions: str | int | float,
) -> dict[str, Any]:
    """Build what a measurement returns: its value and the record around it."""
    return {
        "value": value,
        "samples": min(s.count for s in samples.values()),
        "spread": round(max(s.spread for s in samples.values()), 4),
        "repeat": round(max(s.repeat for s in samples.values()), 4),
        "error": {name: float(f"{e:.3g}") for name, e in errors.items()},
        "roof": {name: round(r, 4) for name, r in roofs.items()},
        "spreads": {name: round(s.spread, 4) for name, s in samples.items()},
        "seconds to launch": {name: float(f"{s.host:.3g}") for name, s in samples.items() if s.host},
        "skipped": dict(skipped or {}),
        "conditions": conditions,
    }
