"""Independent ways to the numbers of verifiers/messages.py."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import messages


def pairs(history: list[str]) -> tuple[int, int]:
    """Count by looking from every result back and from every call ahead, over results only."""
    split = [
        (message.split(":")[0], message.split(":")[1].split(",") if ":" in message else [])
        for message in history
    ]
    orphans = unanswered = 0
    for at, (role, names) in enumerate(split):
        if role == "result":
            back = at - 1
            taken: list[str] = []
            while back >= 0 and split[back][0] == "result":
                taken += split[back][1]
                back -= 1
            asked = split[back][1] if back >= 0 and split[back][0] == "call" else []
            orphans += sum(name not in asked or name in taken for name in names)
        if role == "call":
            ahead, answered = at + 1, set()
            while ahead < len(split) and split[ahead][0] == "result":
                answered |= set(split[ahead][1])
                ahead += 1
            unanswered += len(set(names) - answered)
    return orphans, unanswered


@witnesses("messages.violations")
def test_violations_equal_a_search_in_both_directions() -> None:
    chance = random.Random(1)
    kinds = ["user", "assistant", "call:a", "call:b", "call:a,b", "result:a", "result:b", "result:a,b"]
    for _ in range(2000):
        history = chance.choices(kinds, k=chance.randrange(7))
        found = messages.violations(history)
        assert (found["orphan_results"], found["unanswered_calls"]) == pairs(history), history


@pytest.mark.parametrize(
    ("history", "orphans", "unanswered"),
    [
        (["user", "call:a", "result:a", "assistant"], 0, 0),
        (["user", "result:a"], 1, 0),
        (["user", "call:a", "user"], 0, 1),
        (["call:a,b", "result:b", "result:a"], 0, 0),
        (["call:a", "assistant", "result:a"], 1, 1),
        (["call:a", "result:a", "result:a"], 1, 0),
        (["result:a,b"], 2, 0),
        (["call:a,b"], 0, 2),
        ([], 0, 0),
    ],
)
def test_histories_judged_by_hand(history: list[str], orphans: int, unanswered: int) -> None:
    assert messages.violations(history) == {"orphan_results": orphans, "unanswered_calls": unanswered}


@witnesses("messages.after_cut")
@pytest.mark.parametrize("calls", [0, 1, 3, 8])
def test_cuts_of_a_tool_history_go_by_parity(calls: int) -> None:
    length = 1 + 2 * calls
    for keep in range(length + 3):
        kept = min(keep, length)
        # results lie at even places, counted from 0, except the question at 0
        broken = 0 < kept < length and (length - kept) % 2 == 0
        assert messages.after_cut(calls, keep) == {
            "before": length, "kept": kept, "orphan_results": broken, "unanswered_calls": 0,
        }  # fmt: skip
        assert messages.after_cut(calls, keep, "pairs") == {
            "before": length, "kept": kept - broken, "orphan_results": 0, "unanswered_calls": 0,
        }  # fmt: skip


@witnesses("messages.whole_pairs_survive_any_cut")
def test_cut_by_pairs_equals_the_longest_tail_without_orphans() -> None:
    for seed in range(5):
        history = messages.random_history(5, random.Random(seed))
        assert pairs(history) == (0, 0)
        for keep in range(len(history) + 1):
            tails = [history[len(history) - n :] for n in range(keep + 1)]
            whole = [tail for tail in tails if pairs(tail) == (0, 0)]
            assert messages.last_whole(history, keep) == max(whole, key=len)
    assert messages.whole_pairs_survive_any_cut() == {"turns": 4, "seeds": 8}


def test_random_histories_hold_parallel_calls_in_both_forms() -> None:
    histories = [messages.random_history(4, random.Random(seed)) for seed in range(8)]
    everything = [message for history in histories for message in history]
    assert any(message.startswith("result") and message.count(",") == 2 for message in everything)
    several = itertools.pairwise(everything)
    assert any(a.startswith("result") and b.startswith("result") for a, b in several)
    assert {message.count(",") for message in everything if message.startswith("call")} == {0, 1, 2}
    shuffled = [b for a, b in itertools.pairwise(everything) if a[:4] == "call" and b.count(",") == 2]
    assert any(b.split(":")[1].split(",") != sorted(b.split(":")[1].split(",")) for b in shuffled)
    assert everything.count("user") == 32 == everything.count("assistant")
    assert len({tuple(history) for history in histories}) == 8
    calls = [sum(message.startswith("call") for message in history) for history in histories]
    assert max(calls) <= 8 and sum(calls) > 16


def test_broken_cuts_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def remember(history: Any, keep: int) -> list[str]:
        tried.append((len(history), keep))
        return messages.last_whole(history, keep)

    messages.confirm_cut(remember, 2, 3)
    sizes = [len(messages.random_history(2, random.Random(seed))) for seed in range(3)]
    assert tried == [(size, keep) for size in sizes for keep in range(size + 1)]
    for cut, message in (
        (messages.last_messages, "pair is broken"),
        (lambda history, keep: list(history), "no tail"),
        (lambda history, keep: list(history[:keep]), "no tail"),
    ):
        with pytest.raises(AssertionError, match=message):
            messages.confirm_cut(cut, 4, 8)
    monkeypatch.setattr(messages, "last_whole", messages.last_messages)
    with pytest.raises(AssertionError, match="pair is broken"):
        messages.whole_pairs_survive_any_cut()


@pytest.mark.parametrize(
    "call",
    [
        lambda: messages.violations(["tool"]),
        lambda: messages.violations(["call"]),
        lambda: messages.violations(["result"]),
        lambda: messages.violations(["user:a"]),
        lambda: messages.violations(["call:"]),
        lambda: messages.violations(["call:a,"]),
        lambda: messages.violations(["call:a,b,a"]),
        lambda: messages.violations(["call:a", "result:a,a"]),
        lambda: messages.after_cut(-1, 1),
        lambda: messages.after_cut(1, -1),
        lambda: messages.after_cut(1, 1, "halves"),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
