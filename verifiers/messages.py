"""Histories of tool calls: every result needs its call, every call its result, in that order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from proofdeck import verifier
from verifiers import arguments

ROLES = ("user", "assistant", "call", "result")


def read(message: str) -> tuple[str, list[str]]:
    """Split a message as `call:a,b` into its role and the ids of its calls or results."""
    role, colon, ids = message.partition(":")
    arguments.one_of("role", role, ROLES)
    names = ids.split(",") if colon else []
    if bool(names) != (role in ROLES[2:]) or "" in names or len(set(names)) < len(names):
        raise ValueError(f"calls and results have ids, each once, other messages none: {message!r}")
    return role, names


def faults(messages: Sequence[str]) -> dict[str, int]:
    """Count results without a call right before them, and calls left without a result."""
    orphans = unanswered = 0
    waiting: set[str] = set()
    for message in messages:
        role, names = read(message)
        if role == "result":
            orphans += sum(name not in waiting for name in names)
            waiting -= set(names)
            continue
        unanswered += len(waiting)
        waiting = set(names)
    return {"orphan_results": orphans, "unanswered_calls": unanswered + len(waiting)}


@verifier
def violations(messages: Sequence[str]) -> dict[str, int]:
    """Results without their call, and calls without their result, in a history of messages.

    A message is `user`, `assistant`, `call:a,b` or `result:a`; the results of a call message follow it
    before anything else.

    Unit: orphan_results=1, unanswered_calls=1
    Source: definition
    """
    return faults(messages)


def tool_history(calls: int) -> list[str]:
    """One question, then calls and their results in turn."""
    pairs = ((f"call:{number}", f"result:{number}") for number in range(calls))
    return ["user", *(message for pair in pairs for message in pair)]


def last_messages(messages: Sequence[str], keep: int) -> list[str]:
    """Keep the last messages whatever they are."""
    return list(messages[max(0, len(messages) - keep) :])


def last_whole(messages: Sequence[str], keep: int) -> list[str]:
    """Keep at most the last messages, beginning where no result has lost its call."""
    kept = last_messages(messages, keep)
    while kept and read(kept[0])[0] == "result":
        del kept[0]
    return kept


CUTS = {"messages": last_messages, "pairs": last_whole}


@verifier
def after_cut(calls: int, keep: int, cut: str = "messages") -> dict[str, int]:
    """What remains of a question and a number of calls when only the last messages are kept.

    The cut counts `messages`, or moves forward to keep `pairs` of call and result whole.

    Unit: before=1, kept=1, orphan_results=1, unanswered_calls=1
    Source: definition
    """
    arguments.counts(0, calls=calls, keep=keep)
    arguments.one_of("cut", cut, CUTS)
    history = tool_history(calls)
    kept = CUTS[cut](history, keep)
    return {"before": len(history), "kept": len(kept), **faults(kept)}


def random_history(turns: int, chance: random.Random) -> list[str]:
    """Make a valid history with parallel calls, their results in one message or in several."""
    history = []
    for turn in range(turns):
        history.append("user")
        for step in range(chance.randrange(3)):
            names = [f"{turn}.{step}.{number}" for number in range(chance.randint(1, 3))]
            history.append(f"call:{','.join(names)}")
            chance.shuffle(names)
            answers = chance.choice([[names], [[name] for name in names]])
            history += [f"result:{','.join(ids)}" for ids in answers]
        history.append("assistant")
    return history


def confirm_cut(cut: Callable[[Sequence[str], int], list[str]], turns: int, seeds: int) -> None:
    """Check that a cut leaves no orphan in random histories, and is a tail no longer than asked for."""
    for seed in range(seeds):
        history = random_history(turns, random.Random(seed))
        assert faults(history) == {"orphan_results": 0, "unanswered_calls": 0}
        for keep in range(len(history) + 1):
            kept = cut(history, keep)
            assert len(kept) <= keep and kept == history[len(history) - len(kept) :], "no tail"
            assert not any(faults(kept).values()), f"seed {seed}, keep {keep}: a pair is broken"


@verifier
def whole_pairs_survive_any_cut(turns: int = 4, seeds: int = 8) -> dict[str, int]:
    """Check that a cut moved behind broken pairs leaves a valid history, wherever it falls.

    Unit: check
    Source: definition
    """
    confirm_cut(last_whole, turns, seeds)
    return {"turns": turns, "seeds": seeds}
