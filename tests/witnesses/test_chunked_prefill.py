"""Independent ways to the numbers of verifiers/chunked_prefill.py."""

from __future__ import annotations

import pytest

from proofdeck import witnesses
from verifiers import chunked_prefill


def replay(prompt: int, decodes: int, fixed: float, each: float, budget: int | None) -> dict[str, float]:
    """Fill steps with a token of every reply and as much of the prompt as has room."""
    left, clock, times = prompt, 0.0, []
    while left:
        taken = 0
        while left and (budget is None or decodes + taken < budget):
            taken += 1
            left -= 1
        times.append(max(fixed, (decodes + taken) * each))
        clock += times[-1]
    return {"steps": len(times), "longest_gap": max(times), "first_token": clock}


@witnesses("chunked_prefill.stall")
@pytest.mark.parametrize("budget", [None, 17, 64, 128, 5000])
@pytest.mark.parametrize(("prompt", "decodes"), [(1000, 16), (1, 0), (48, 16), (49, 16)])
def test_stalls_equal_a_replay_of_the_steps(prompt: int, decodes: int, budget: int | None) -> None:
    for fixed, each in ((0.02, 0.0001), (0.001, 0.0005)):
        found = chunked_prefill.stall(prompt, decodes, fixed, each, budget)
        assert found == pytest.approx(replay(prompt, decodes, fixed, each, budget))
        if budget is None:
            assert chunked_prefill.stall(prompt, decodes, fixed, each) == found


@witnesses("chunked_prefill.cache_reads", "chunked_prefill.score_pairs")
@pytest.mark.parametrize("chunk", [1, 3, 5, 15, 16, 40])
def test_reads_and_pairs_equal_a_count_over_all_chunks(chunk: int) -> None:
    for prompt in (1, 15, 16, 30):
        reads = pairs = 0
        for query in range(prompt):
            begin = query // chunk * chunk
            reads += begin if query == begin else 0
            pairs += sum(1 for key in range(prompt) if key <= query)
        assert chunked_prefill.cache_reads(prompt, chunk) == reads
        assert chunked_prefill.score_pairs(prompt, chunk) == pairs
        found = chunked_prefill.cache_reads(prompt, chunk), chunked_prefill.score_pairs(prompt, chunk)
        assert all(isinstance(number, int) for number in found)


@pytest.mark.parametrize(
    "call",
    [
        lambda: chunked_prefill.stall(0, 1, 1, 1),
        lambda: chunked_prefill.stall(1, -1, 1, 1),
        lambda: chunked_prefill.stall(1, 1, 0, 1),
        lambda: chunked_prefill.stall(1, 1, 1, 0),
        lambda: chunked_prefill.stall(1, 4, 1, 1, 4),
        lambda: chunked_prefill.cache_reads(0, 1),
        lambda: chunked_prefill.cache_reads(1, 0),
        lambda: chunked_prefill.score_pairs(0, 1),
        lambda: chunked_prefill.score_pairs(1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
