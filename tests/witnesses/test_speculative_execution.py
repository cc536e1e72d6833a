"""Witnesses of `verifiers/speculative_execution.py`: ChainMap as overlay, simulated turns."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import speculative_execution as execution


@witnesses("speculative_execution.saving_per_turn", "speculative_execution.break_even")
def test_savings_over_simulated_turns() -> None:
    generator = np.random.default_rng(0)
    ran, kept = generator.random((2, 200_000))
    gained = np.where(ran < 0.4, np.where(kept < 0.3, 20.0, -3.0), 0.0)
    assert execution.saving_per_turn(0.4, 0.3, 20.0, 3.0) == pytest.approx(gained.mean(), abs=0.05)
    assert execution.saving_per_turn(0.4, 0.5, 20.0) == 4
    assert execution.saving_per_turn(1.0, 0.0, 20.0, 3.0) == -3
    threshold = execution.break_even(20.0, 3.0)
    assert execution.saving_per_turn(0.4, threshold, 20.0, 3.0) == pytest.approx(0)
    assert execution.break_even(20.0, 0.0) == 0
    assert execution.saving_per_turn(0.4, 0.3, 0.0, 0.0) == 0


@witnesses("speculative_execution.ready_share")
@pytest.mark.parametrize("work, wait", [(10.0, 30.0), (0.0, 1.0), (5.0, 2.0)])
def test_ready_results_by_simulation(work: float, wait: float) -> None:
    waits = np.random.default_rng(0).exponential(wait, 200_000)
    assert execution.ready_share(work, wait) == pytest.approx((waits >= work).mean(), abs=0.005)


@witnesses("speculative_execution.overlay_isolates_writes")
def test_overlay_behaves_like_a_chain_of_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    execution.overlay_isolates_writes()
    base = {"a": "old", "b": "old"}
    overlay, chain = execution.Overlay(dict(base)), ChainMap({}, dict(base))
    for name, text in (("a", "new"), ("c", "made")):
        overlay.write(name, text)
        chain[name] = text
    assert [overlay.read(n) for n in "abcd"] == [chain.get(n) for n in "abcd"]
    overlay.write("b", None)
    assert overlay.read("b") is None and overlay.base == base
    overlay.merge()
    assert overlay.base == {"a": "new", "c": "made"} and overlay.written == {}

    class Through(execution.Overlay):
        def write(self, name: str, text: str | None) -> None:
            self.written[name] = text
            self.base[name] = text or ""

    class Stale(execution.Overlay):
        def read(self, name: str) -> str | None:
            return self.base.get(name)

    class Empty(execution.Overlay):
        def read(self, name: str) -> str | None:
            return self.written.get(name)

    class Noisy(execution.Overlay):
        def read(self, name: str) -> str | None:
            found = super().read(name)
            self.written[name] = found
            return found

    class Forgetful(execution.Overlay):
        def merge(self) -> None:
            self.base.update({name: text for name, text in self.written.items() if text is not None})
            self.written = {}

    class Keeping(execution.Overlay):
        def merge(self) -> None:
            written = dict(self.written)
            super().merge()
            self.written = written

    for broken, message in (
        (Through, "reached the base"),
        (Stale, "stale"),
        (Empty, "misread"),
        (Noisy, "something to merge"),
        (Forgetful, "merged wrongly"),
        (Keeping, "pending"),
    ):
        monkeypatch.setattr(execution, "Overlay", broken)
        with pytest.raises(AssertionError, match=message):
            execution.overlay_isolates_writes()


@witnesses("speculative_execution.only_finished_runs_are_accepted")
def test_a_run_without_a_finished_state_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    execution.only_finished_runs_are_accepted()
    run, original = execution.Run(), execution.Run
    assert (run.state, run.result, run.accept(), run.state) == ("running", None, None, "discarded")

    class Eager(execution.Run):
        def accept(self) -> str | None:
            self.state = "accepted"
            return self.result

    class Lossy(execution.Run):
        def finish(self, result: str) -> None:
            self.result = result  # stays running

    class Guessing(execution.Run):
        def accept(self) -> str | None:
            super().accept()
            return self.result or "guess"

    for broken, message in ((Eager, "unfinished"), (Lossy, "lost"), (Guessing, "unfinished")):
        monkeypatch.setattr(execution, "Run", broken)
        with pytest.raises(AssertionError, match=message):
            execution.only_finished_runs_are_accepted()

    class Wrong(original):
        def finish(self, result: str) -> None:
            super().finish("other")

    monkeypatch.setattr(execution, "Run", Wrong)
    with pytest.raises(AssertionError, match="lost"):
        execution.only_finished_runs_are_accepted()


@pytest.mark.parametrize(
    "call",
    [
        lambda: execution.saving_per_turn(1.1, 0.5, 1.0),
        lambda: execution.saving_per_turn(0.5, 1.1, 1.0),
        lambda: execution.saving_per_turn(0.5, 0.5, -1.0),
        lambda: execution.saving_per_turn(0.5, 0.5, 1.0, -1.0),
        lambda: execution.break_even(0.0, 1.0),
        lambda: execution.break_even(1.0, -1.0),
        lambda: execution.ready_share(-1.0, 1.0),
        lambda: execution.ready_share(1.0, 0.0),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|cannot"):
        call()
