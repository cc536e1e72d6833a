"""Speculation on agents' turns: running the likely next step early, on a copy, and keeping it or not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from proofdeck import verifier
from verifiers import arguments


@dataclass
class Overlay:
    """Files over a base that is only read: writes stay here until they are merged."""

    base: dict[str, str]
    written: dict[str, str | None] = field(default_factory=dict)
    """New texts by name; None where the file was deleted."""

    def read(self, name: str) -> str | None:
        return self.written[name] if name in self.written else self.base.get(name)

    def write(self, name: str, text: str | None) -> None:
        self.written[name] = text

    def merge(self) -> None:
        """Carry every write out on the base."""
        for name, text in self.written.items():
            if text is None:
                self.base.pop(name, None)
            else:
                self.base[name] = text
        self.written = {}


@verifier
def saving_per_turn(run_rate: float, acceptance: float, saved: float, wasted: float = 0.0) -> float:
    """Seconds that speculation saves a turn on average.

    Formula: run_rate·(acceptance·saved − (1 − acceptance)·wasted): it runs on a share of the turns, some of
    whose results are kept, and a discarded one costs `wasted`.
    Unit: s
    Source: definition
    """
    arguments.shares(run_rate=run_rate, acceptance=acceptance)
    arguments.non_negative(saved=saved, wasted=wasted)
    return run_rate * (acceptance * saved - (1 - acceptance) * wasted)


@verifier
def break_even(saved: float, wasted: float) -> float:
    """Acceptance above which speculation gains more than it wastes.

    Formula: wasted/(saved + wasted).
    Unit: 1
    Source: definition
    """
    arguments.positive(saved=saved)
    arguments.non_negative(wasted=wasted)
    return wasted / (saved + wasted)


@verifier
def ready_share(work: float, wait: float) -> float:
    """Probability that a result is ready when the user answers after an exponentially distributed wait.

    Formula: exp(−work/wait), wait the mean: all other results are unfinished, and there is nothing to keep.
    Unit: 1
    Source: definition
    """
    arguments.non_negative(work=work)
    arguments.positive(wait=wait)
    return math.exp(-work / wait)


@verifier
def overlay_isolates_writes(
    names: tuple[str, ...] = ("a", "b", "c", "d", "e"),
    existing: int = 3,
    texts: tuple[str | None, ...] = (None, "first", "second"),
    edits: int = 8,
    seeds: int = 20,
) -> dict[str, object]:
    """Check that an overlay hides its writes from the base until merged, and shows them to its own reads.

    Formula: before the merge base = old and read = the last write, else base; after it base = what a direct
    writer leaves; a run that only reads leaves nothing to merge.
    Unit: check
    Source: definition
    """
    for seed in range(seeds):
        old = dict.fromkeys(names[:existing], "old")
        base = dict(old)
        overlay = Overlay(base)
        assert [overlay.read(name) for name in names] == [old.get(name) for name in names], "misread"
        assert not overlay.written, "reading leaves something to merge"
        generator = np.random.default_rng(seed)
        expected: dict[str, str | None] = dict(old)
        for _ in range(edits):
            name, text = names[generator.integers(len(names))], texts[generator.integers(len(texts))]
            overlay.write(name, text)
            expected[name] = text
        assert base == old, "a write reached the base"
        assert [overlay.read(name) for name in names] == [expected.get(name) for name in names], "stale read"
        overlay.merge()
        assert base == {name: text for name, text in expected.items() if text is not None}, "merged wrongly"
        assert not overlay.written, "merged writes are still pending"
    return {"files": len(names), "edits": edits, "seeds": seeds}


@dataclass
class Run:
    """A speculative run: it is running, then finished, then accepted or discarded."""

    state: str = "running"
    result: str | None = None

    def finish(self, result: str) -> None:
        self.state, self.result = "finished", result

    def accept(self) -> str | None:
        """Hand the result over if there is one; a run that is still going is discarded."""
        self.state = "accepted" if self.state == "finished" else "discarded"
        return self.result


@verifier
def only_finished_runs_are_accepted(results: tuple[str, ...] = ("answer", "")) -> dict[str, object]:
    """Check that accepting needs a state of its own for finished runs: a running one has no result.

    Formula: accept(running) gives nothing and discards, accept(finished) gives the result.
    Unit: check
    Source: definition
    """
    for result in results:
        early, late = Run(), Run()
        late.finish(result)
        assert early.accept() is None and early.state == "discarded", "an unfinished run was accepted"
        assert late.accept() == result and late.state == "accepted", "a finished run was lost"
    return {"results": len(results), "states": "running, finished, accepted, discarded"}
