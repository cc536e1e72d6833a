"""Races between agents: interleavings, lost updates, results not awaited, conflicts found late."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from proofdeck import verifier
from verifiers import arguments


@verifier
def interleavings(*steps: int) -> int:
    """Orders in which the steps of several threads can run, each thread keeping its own order.

    Formula: (Σ nᵢ)! / Π nᵢ!.
    Unit: 1
    Source: definition
    """
    arguments.counts(0, **{f"thread {index}": count for index, count in enumerate(steps)})
    return math.factorial(sum(steps)) // math.prod(math.factorial(count) for count in steps)


@verifier
def lost_update_share(threads: int) -> float:
    """Share of all interleavings in which threads that each read, add one and write lose an update.

    Formula: 1 − n! · 2ⁿ / (2n)!, since only the serial orders lose nothing.
    Unit: 1
    Source: definition
    """
    arguments.counts(threads=threads)
    return 1 - math.factorial(threads) / interleavings(*[2] * threads)


async def _fan_out(tasks: int, background: bool) -> dict[str, int]:
    collected = asyncio.Event()
    started: list[asyncio.Task[str]] = []
    finished: list[int] = []

    async def work(number: int) -> str:
        if background:
            await collected.wait()  # work that outlasts the gathering of results
        finished.append(number)
        return "summary"

    async def spawn(number: int) -> str:
        if background:
            started.append(asyncio.create_task(work(number)))
            return "started"
        return await work(number)

    results = await asyncio.gather(*(spawn(number) for number in range(tasks)))
    done = len(finished)
    collected.set()
    await asyncio.gather(*started)
    return {"summaries": results.count("summary"), "finished": done, "in_the_end": len(finished)}


@verifier
def fan_out(tasks: int, background: bool) -> dict[str, int]:
    """Gather sub-agents: those started in the background return a placeholder before they have worked.

    `finished` are done when the results have been gathered, `in_the_end` when nothing runs any more.

    Unit: summaries=1, finished=1, in_the_end=1
    Source: definition
    """
    arguments.counts(tasks=tasks)
    return asyncio.run(_fan_out(tasks, background))


@verifier
def conflict_found(edits: Sequence[Sequence[str | float]]) -> dict[str, float]:
    """When two workers' edits of one file come to light: claimed at the start, or compared at the end.

    Edits are (worker, file, start, end). A claim is refused where another worker has claimed the file
    before; a comparison at the merge waits for the last edit. Infinite where nothing conflicts.

    Unit: claims=s, merge=s
    Source: definition
    """
    owners: dict[str, str] = {}
    claims = math.inf
    for worker, file, start, end in sorted(edits, key=lambda edit: float(edit[2])):
        arguments.non_negative(start=float(start), duration=float(end) - float(start))
        if owners.setdefault(str(file), str(worker)) != worker:
            claims = min(claims, float(start))
    if claims == math.inf:
        return {"claims": math.inf, "merge": math.inf}
    return {"claims": claims, "merge": max(float(end) for *_, end in edits)}
