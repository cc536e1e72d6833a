"""Independent ways to the numbers of verifiers/queue_simulation.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import queue_simulation, queues


def second_by_second(arrivals: list[int], services: list[int], servers: int) -> list[int]:
    """Serve whole-second jobs by stepping a clock, first come, first served."""
    left, done = dict(enumerate(services)), {}
    clock = 0
    while len(done) < len(arrivals):
        present = [job for job in left if arrivals[job] <= clock]
        clock += 1
        for job in present[:servers]:
            left[job] -= 1
            if not left[job]:
                del left[job]
                done[job] = clock - arrivals[job]
    return [done[job] for job in range(len(arrivals))]


@pytest.mark.parametrize("servers", [1, 2, 4])
def test_service_equals_a_clock_stepped_second_by_second(servers: int) -> None:
    rng = np.random.default_rng(servers)
    arrivals = np.sort(rng.integers(0, 60, 40))
    services = rng.integers(1, 3 * servers, 40)
    found = queue_simulation.serve(arrivals.astype(float), services.astype(float), servers)
    assert found.tolist() == second_by_second(arrivals.tolist(), services.tolist(), servers)
    alone = queue_simulation.serve(arrivals.astype(float), services.astype(float))
    assert alone.tolist() == second_by_second(arrivals.tolist(), services.tolist(), 1)


def test_every_arrival_needs_a_service_time() -> None:
    with pytest.raises(ValueError, match="shorter"):
        queue_simulation.serve(np.zeros(2), np.ones(1))


def test_times_are_drawn_with_the_deviation_asked_for() -> None:
    rng = np.random.default_rng(0)
    assert queue_simulation.draw(rng, 0.0, 5).tolist() == [1.0] * 5
    for cv in (0.25, 1.0, 2.0):
        drawn = queue_simulation.draw(rng, cv, 100_000)
        assert len(drawn) == 100_000
        assert drawn.mean() == pytest.approx(1.0, rel=0.03)
        assert drawn.std() == pytest.approx(cv, rel=0.03)


@witnesses("queue_simulation.response")
@pytest.mark.parametrize(
    ("rho", "servers", "cv"), [(0.5, 1, 1.0), (0.7, 1, 0.0), (0.6, 1, 1.5), (0.7, 4, 1.0)]
)
def test_simulated_means_come_near_closed_forms(rho: float, servers: int, cv: float) -> None:
    found = queue_simulation.response(rho, servers, cv, requests=60_000)
    wait = queues.mmc(rho * servers, servers)["wait"] if cv == 1 else queues.mg1_wait(rho, cv)
    assert found["wait"] == pytest.approx(wait, rel=0.08)
    assert found["mean"] == pytest.approx(wait + 1, rel=0.05)
    assert found["p50"] < found["p95"] < found["p99"]
    assert found["p99_over_p50"] == found["p99"] / found["p50"]
    if servers == cv == 1:
        for share, key in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
            assert found[key] == pytest.approx(queues.mm1_quantile(share, rho), rel=0.05)


def test_regular_arrivals_of_constant_work_never_wait() -> None:
    found = queue_simulation.response(0.9, 2, 0.0, 0.0, 1000)
    assert found == pytest.approx(
        {"mean": 1.0, "wait": 0.0, "p50": 1.0, "p95": 1.0, "p99": 1.0, "p99_over_p50": 1.0}, abs=1e-9
    )


def test_the_first_tenth_is_not_counted() -> None:
    rng = np.random.default_rng(7)
    arrivals = np.cumsum(rng.gamma(1, 1, 200)) / (0.6 * 2)
    services = rng.gamma(4, 0.25, 200)
    times = queue_simulation.serve(arrivals, services, 2)[20:]
    found = queue_simulation.response(0.6, 2, 0.5, 1.0, 200, 7)
    assert found["mean"] == pytest.approx(times.mean())
    assert found["wait"] == pytest.approx(times.mean() - services[20:].mean())
    assert found["p95"] == pytest.approx(np.quantile(times, 0.95))


def test_defaults_are_a_queue_with_one_server() -> None:
    named = queue_simulation.response(0.5, 1, 1.0, 1.0, 100_000, 0)
    assert queue_simulation.response(0.5) == named


@witnesses("queue_simulation.stalled_load_test")
def test_an_open_load_test_sees_the_stall_that_a_closed_one_hides() -> None:
    """Replay a server that is away for 1 s in every 1,000 requests, event by event."""
    for rate, stall, service, every in ((100.0, 1.0, 0.001, 1000), (50.0, 2.0, 0.004, 500)):
        free, opened, closed = 0.0, [], []
        for request in range(every):
            work = service + (0.0 if request else stall)
            start = max(free, request / rate)
            free = start + work
            opened.append(free - request / rate)
            closed.append(work)
        found = queue_simulation.stalled_load_test(stall, service, every, rate)
        assert found["open"] == pytest.approx(np.quantile(opened, 0.99), rel=1e-9)
        assert found["closed"] == pytest.approx(np.quantile(closed, 0.99), rel=1e-9)
    default = queue_simulation.stalled_load_test()
    assert default == queue_simulation.stalled_load_test(1.0, 0.001, 1000, 100.0)
    assert default["open"] > 100 * default["closed"] == pytest.approx(0.1)
    again = np.quantile(opened * 7, 0.99)
    assert found["open"] == pytest.approx(again, rel=0.01)


def test_the_mean_number_inside_is_that_of_a_hand_made_example() -> None:
    """Inside from 0 to 2, from 1 to 4 and from 6 to 7: 2, 3 and 1 s over 7 s."""
    found = queue_simulation.time_average(np.array([0.0, 1.0, 6.0]), np.array([2.0, 3.0, 1.0]))
    assert found == pytest.approx(6 / 7)


@witnesses("queue_simulation.littles_law_holds")
def test_littles_law_fails_where_the_time_in_service_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    right = queue_simulation.time_average

    def records(arrivals: np.ndarray, responses: np.ndarray) -> float:
        asked.append(responses.mean())
        return right(arrivals, responses)

    monkeypatch.setattr(queue_simulation, "time_average", records)
    tried = {"servers": 2, "requests": 300, "utilisation": 0.6, "tolerance": 1e-9}
    queue_simulation.littles_law_holds(1, 1, 5.0)
    asked.clear()
    assert queue_simulation.littles_law_holds(2, 300, 0.6, 1e-9) == tried
    expected = []
    for seed, (cv_arrival, cv_service) in enumerate(((1.0, 1.0), (0.0, 2.0), (1.0, 0.0))):
        rng = np.random.default_rng(seed)
        arrivals = np.cumsum(queue_simulation.draw(rng, cv_arrival, 300)) / 1.2
        services = queue_simulation.draw(rng, cv_service, 300)
        expected.append(queue_simulation.serve(arrivals, services, 2).mean())
    assert asked == pytest.approx(expected)
    for wrong in (lambda a, r: right(a, r) * 1.01, lambda a, r: right(a, r) * 0.99):
        monkeypatch.setattr(queue_simulation, "time_average", wrong)
        with pytest.raises(AssertionError, match="in system"):
            queue_simulation.littles_law_holds()


@pytest.mark.parametrize(
    "call",
    [
        lambda: queue_simulation.response(0.0),
        lambda: queue_simulation.response(1.0),
        lambda: queue_simulation.response(0.5, 0),
        lambda: queue_simulation.response(0.5, cv_service=-1),
        lambda: queue_simulation.response(0.5, cv_arrival=-1),
        lambda: queue_simulation.response(0.5, requests=0),
        lambda: queue_simulation.littles_law_holds(servers=0),
        lambda: queue_simulation.littles_law_holds(requests=0),
        lambda: queue_simulation.littles_law_holds(utilisation=0.0),
        lambda: queue_simulation.littles_law_holds(utilisation=float("inf")),
        lambda: queue_simulation.stalled_load_test(stall=0),
        lambda: queue_simulation.stalled_load_test(service=0),
        lambda: queue_simulation.stalled_load_test(every=0),
        lambda: queue_simulation.stalled_load_test(rate=0),
        lambda: queue_simulation.stalled_load_test(rate=500.0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
