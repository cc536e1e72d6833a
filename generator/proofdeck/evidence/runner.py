"""Running calls in worker processes, several at a time, each with a deadline and a memory limit.

Every worker makes one call at a time. One that hangs is killed, one that ends (`os._exit`, a signal, the
kernel's out-of-memory killer) is replaced; either way its call fails with a reason, and the rest go on.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from proofdeck.api import GIB
from proofdeck.parse.expressions import Call

START = 60.0
"""Seconds a fresh worker is given to start Python."""


@dataclass(frozen=True, slots=True)
class Task:
    """A call to make."""

    folder: str
    """`verifiers` or `figures`."""
    call: Call
    timeout: float = 30.0
    memory: int = 4 * GIB
    """Bytes it may take; 0 sets no limit."""
    device: str = ""
    """For a measurement: `cuda` or `cpu`. Everything else runs with accelerators hidden."""
    records: tuple[dict[str, Any], ...] = ()
    """For a figure: the measurements that it may show."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task: a value, or why there is none."""

    task: Task
    value: Any = None
    failed: str = ""
    seconds: float = 0.0
    machine: dict[str, str] | None = None
    """For a measurement: what it ran on."""


def run(
    root: Path, tasks: Iterable[Task], jobs: int = 0, on_done: Callable[[Outcome], None] | None = None
) -> list[Outcome]:
    """Make every call and return the outcomes in the order of the tasks.

    Tasks of one module go to one worker while it has some left, so that imports are not repeated.
    """
    ordered = list(tasks)
    if not ordered:
        return []
    jobs = min(jobs or os.cpu_count() or 1, len(ordered))
    queue = sorted(
        range(len(ordered)), key=lambda i: (ordered[i].folder, ordered[i].call.function), reverse=True
    )
    outcomes: list[Outcome | None] = [None] * len(ordered)
    guard = threading.Lock()
    live: set[_Worker] = set()
    interrupted = threading.Event()

    def serve() -> None:
        worker: _Worker | None = None
        try:
            while True:
                with guard:
                    if not queue:
                        return
                    index = queue.pop()
                worker = worker or _Worker(root, ordered[index].device)
                with guard:
                    live.add(worker)
                    if interrupted.is_set():
                        return
                outcome, left = worker.make(ordered[index])
                with guard:
                    live.discard(worker)
                    worker = left
                    if interrupted.is_set():  # that its worker was killed says nothing of the call
                        return
                    outcomes[index] = outcome
                    if on_done:
                        on_done(outcome)
        finally:
            if worker:
                worker.stop()

    with ThreadPoolExecutor(jobs) as pool:
        serving = [pool.submit(serve) for _ in range(jobs)]
        try:
            for future in wait(serving, return_when=FIRST_EXCEPTION).done:
                future.result()
        except BaseException:  # Ctrl-C ends the calls that run now, and begins none of the others
            with guard:
                queue.clear()
                interrupted.set()
                for worker in live:
                    worker.kill()
            raise
    return [outcome for outcome in outcomes if outcome is not None]


class _Worker:
    """One worker process and the pipes to it."""

    def __init__(self, root: Path, device: str) -> None:
        self.root = root
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        # one thread a worker: sums come out the same on any number of cores
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "VECLIB", "NUMEXPR")}
        environment = {**os.environ, "PYTHONHASHSEED": "0", "MPLBACKEND": "Agg"}
        if device != "cuda":
            environment |= {"CUDA_VISIBLE_DEVICES": ""}
        if not device:
            environment |= threads
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "proofdeck.evidence.worker", str(root)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=environment, start_new_session=True,
        )  # fmt: skip
        self.fresh = True
        self.said = 0
        self.asked = 0

    def make(self, task: Task) -> tuple[Outcome, _Worker | None]:
        """Make one call; return its outcome, and this worker if it still serves."""
        self.asked += 1
        message = {
            "number": self.asked,
            "folder": task.folder, "function": task.call.function, "args": task.call.args,
            "kwargs": dict(task.call.kwargs), "timeout": task.timeout, "memory": task.memory,
            "device": task.device, "records": task.records,
        }  # fmt: skip
        if self.fresh and not self._read(time.monotonic() + START):
            return Outcome(task, failed=self._end("no worker process could be started")), None
        self.fresh = False
        self.said = os.fstat(self.log.fileno()).st_size
        begin = time.monotonic()
        answer = self._ask(json.dumps(message), begin + task.timeout)
        seconds = time.monotonic() - begin
        if answer is None:
            failed = self._end(f"it ran for more than {task.timeout:g} s")
            return Outcome(task, failed=failed, seconds=seconds), None
        if not answer:
            return Outcome(task, failed=self._end(), seconds=seconds), None
        data = _one_answer(answer, self.asked)
        if data is None:  # it forked, and both of it answer
            return Outcome(task, failed=self._end("it answered more than once"), seconds=seconds), None
        return Outcome(
            task, data.get("value"), data.get("failed", ""), data["seconds"], data.get("machine")
        ), self

    def _ask(self, message: str, deadline: float) -> bytes | None:
        assert self.process.stdin
        try:
            self.process.stdin.write(message.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            return b""
        return self._read(deadline)

    def _read(self, deadline: float) -> bytes | None:
        """Return a line; empty where the worker ended, None where time ran out."""
        assert self.process.stdout
        answer = b""
        descriptor = self.process.stdout.fileno()
        while not answer.endswith(b"\n"):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return None
            if not select.select([descriptor], [], [], remaining)[0]:
                return None
            piece = os.read(descriptor, 1 << 16)
            if not piece:
                return b""
            answer += piece
        return answer

    def _end(self, reason: str = "") -> str:
        """Kill the worker and everything it started; say why it ended."""
        if not reason:
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                reason = "it closed its output"
        status = self.process.poll()
        self.kill()
        reason = reason or _why(status or 0)
        self.log.seek(self.said)
        said = self.log.read(1 << 20)[-2000:].decode(errors="replace").strip().splitlines()
        self._close()
        return reason + (f"; last words: {said[-1][:200]}" if said else "")

    def stop(self) -> None:
        """End an idle worker."""
        assert self.process.stdin
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        self.kill()
        self._close()

    def kill(self) -> None:
        """Kill the worker and every process it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.log):
            if stream and not stream.closed:
                with contextlib.suppress(OSError):
                    stream.close()


def _one_answer(answer: bytes, number: int) -> dict[str, Any] | None:
    """Return the answer to question `number`, or None for anything else."""
    try:
        data: dict[str, Any] = json.loads(answer)
    except ValueError:
        return None
    return data if data.get("number") == number else None


def _why(status: int) -> str:
    if status >= 0:
        return f"it ended the interpreter with status {status}"
    number = -status
    names = {item.value: item.name for item in signal.Signals}
    told = {9: "was killed (out of memory?)", 11: "crashed the interpreter (segmentation fault)"}
    return "it " + told.get(number, "was ended by " + names.get(number, f"signal {number}"))
