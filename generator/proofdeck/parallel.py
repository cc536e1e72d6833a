"""Spreading pure functions over the cores, where the work is worth the processes."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar


@contextlib.contextmanager
def no_collector() -> Iterator[None]:
    """Do without the search for reference cycles: a build makes millions of objects and no cycles."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


A = TypeVar("A")
B = TypeVar("B")

WORTHWHILE = 200_000
"""Bytes of Markdown below which one process is done before a second has started."""


def spread(function: Callable[[A], B], items: Sequence[A], weight: int) -> list[B]:
    """Map a picklable function over items, in order; `weight` is their size in bytes."""
    cores = min(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1, len(items))
    if weight < WORTHWHILE or cores < 2:
        return [function(item) for item in items]
    # a fork copies no other thread, but the locks that it holds
    alone = sys.platform == "linux" and threading.active_count() == 1
    method = "fork" if alone else "spawn"
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context(method)) as pool:
        return list(pool.map(function, items, chunksize=max(1, len(items) // (cores * 8))))
