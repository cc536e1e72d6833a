"""Persistence of sessions: append-only logs, snapshots and replay, hash chains, signed tokens, collisions."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import random
from collections.abc import Callable

from proofdeck import verifier
from verifiers import arguments


@verifier
def written_bytes(turns: int, per_turn: int, mode: str = "delta") -> int:
    """Bytes written until the last turn when each save appends what is new, or the whole history again.

    Formula: n · b (delta), b · n · (n + 1) / 2 (snapshot).
    Unit: B
    Source: definition
    """
    arguments.counts(0, turns=turns, per_turn=per_turn)
    arguments.one_of("mode", mode, ("delta", "snapshot"))
    return per_turn * (turns if mode == "delta" else turns * (turns + 1) // 2)


@verifier
def retained(entries: int, cap: int | None = None) -> dict[str, int]:
    """Entries that a history holds after appending, and those a cap has pushed out at the old end.

    Unit: kept=1, lost=1
    Source: definition
    """
    arguments.counts(0, entries=entries)
    if cap is not None:
        arguments.counts(0, cap=cap)
    kept = entries if cap is None else min(entries, cap)
    return {"kept": kept, "lost": entries - kept}


@verifier
def checkout_bytes(objects: int, tree: int, checkouts: int, shared: bool = True) -> int:
    """Bytes of several checkouts of a repository: worktrees share the objects, full clones copy them.

    Formula: objects + checkouts · tree (shared), checkouts · (objects + tree) (copied).
    Unit: B
    Source: definition
    """
    arguments.counts(0, objects=objects, tree=tree)
    arguments.counts(checkouts=checkouts)
    return objects * (1 if shared else checkouts) + checkouts * tree


def append_records(count: int) -> bytes:
    """A log of records, one JSON text a line."""
    return b"".join(json.dumps({"turn": turn, "text": "é" * turn}).encode() + b"\n" for turn in range(count))


def read_log(log: bytes) -> list[int]:
    """Turns of all complete lines; what follows the last line end was torn and is dropped."""
    return [int(json.loads(line)["turn"]) for line in log.split(b"\n")[:-1]]


def confirm_recovery(read: Callable[[bytes], list[int]], records: int) -> int:
    """Check that a log cut anywhere gives every record whose line is complete, and no other."""
    log = append_records(records)
    for end, _ in enumerate(b" " + log):
        whole = log[:end].count(b"\n")
        assert read(log[:end]) == list(range(whole)), f"cut after {end} bytes"
    return len(log)


@verifier
def torn_log_keeps_whole_records(records: int = 12) -> dict[str, int]:
    """Check that an append-only log of lines, cut at any byte by a crash, loses at most its last record.

    Unit: check
    Source: definition
    """
    return {"records": records, "cuts": confirm_recovery(read_log, records) + 1}


State = dict[str, int]


def apply(state: State, event: tuple[str, int]) -> State:
    """State after an event that sets a key."""
    return {**state, event[0]: event[1]}


def replay(snapshot: State, events: list[tuple[str, int]]) -> State:
    """State that a snapshot and the events after it give."""
    for event in events:
        snapshot = apply(snapshot, event)
    return snapshot


def confirm_replay(
    restore: Callable[[State, list[tuple[str, int]]], State], events: int, keys: int, seeds: int
) -> None:
    """Check that restoring from a snapshot at any point gives the live state."""
    for seed in range(seeds):
        chance = random.Random(seed)
        log = [(f"key {chance.randrange(keys)}", number) for number in range(events)]
        live: State = {}
        states = [live] + [live := apply(live, event) for event in log]
        for at, snapshot in enumerate(states):
            assert restore(snapshot, log[at:]) == live, f"seed {seed}: snapshot after {at} events"


@verifier
def snapshot_and_log_restore_the_state(events: int = 100, keys: int = 7, seeds: int = 3) -> dict[str, int]:
    """Check that a snapshot at any point, and a replay of the log behind it, give the live state.

    Unit: check
    Source: definition
    """
    confirm_replay(replay, events, keys, seeds)
    return {"events": events, "keys": keys, "seeds": seeds}


def chain(entries: list[str]) -> list[str]:
    """Hash of every entry together with the hash before it."""
    links, last = [], ""
    for entry in entries:
        last = hashlib.sha256(f"{last}\n{entry}".encode()).hexdigest()
        links.append(last)
    return links


def confirm_chain(link: Callable[[list[str]], list[str]], entries: int) -> int:
    """Check that the last hash betrays every change, removal, swap and insertion; return the attempts."""
    log = [f"entry {number}" for number in range(entries)]
    head = link(log)[-1]
    assert link(list(log))[-1] == head, "the same log gives another hash"
    forged = []
    for at in range(entries):
        forged.append([*log[:at], "forged", *log[at + 1 :]])
        forged.append([*log[:at], "forged", *log[at:]])
        forged.append([*log[:at], *log[at + 1 :]])
        forged += [[*log[:at], log[at + 1], log[at], *log[at + 2 :]]] if at + 1 < entries else []
    for other in forged:
        assert link(other)[-1] != head, f"not noticed: {other}"
    return len(forged)


@verifier
def hash_chain_betrays_tampering(entries: int = 8) -> dict[str, int]:
    """Check that in a hash chain the last hash changes with any edit, removal, insertion or swap before it.

    Unit: check
    Source: definition
    """
    return {"entries": entries, "forgeries": confirm_chain(chain, entries)}


def sign(key: bytes, tenant: str, tool: str, expires: int, nonce: str) -> str:
    """Token that allows one use of a tool until it expires."""
    body = f"{tenant}|{tool}|{expires}|{nonce}"
    return f"{body}|{hmac.new(key, body.encode(), hashlib.sha256).hexdigest()}"


def accepts(key: bytes, token: str, now: int, used: set[str]) -> bool:
    """Whether a token is genuine, fresh and not used before; remember it then."""
    body, _, signature = token.rpartition("|")
    expected = hmac.new(key, body.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        return False
    _, _, expires, nonce = body.split("|")
    if now >= int(expires) or nonce in used:
        return False
    used.add(nonce)
    return True


def confirm_tokens(accept: Callable[[bytes, str, int, set[str]], bool], lifetime: int) -> int:
    """Check that a token is accepted once in its lifetime, and refused when changed, late, or used again."""
    key, now = b"secret", 1_000
    token = sign(key, "tenant a", "search", now + lifetime, "nonce 1")
    assert accept(key, token, now + lifetime - 1, set()), "a fresh token is refused"
    assert not accept(key, token, now + lifetime, set()), "an expired token is accepted"
    assert not accept(b"other", token, now, set()), "a token of another key is accepted"
    used: set[str] = set()
    assert accept(key, token, now, used) and not accept(key, token, now, used), "a token is accepted twice"
    for at, letter in enumerate(token):
        changed = token[:at] + ("b" if letter != "b" else "c") + token[at + 1 :]
        assert not accept(key, changed, now, set()), f"accepted with letter {at} changed"
    return len(token)


@verifier
def signed_tokens_resist_tampering(lifetime: int = 300) -> dict[str, int]:
    """Check that a signed token holds once, in its lifetime, unchanged, and under its own key only.

    Unit: check
    Source: rfc2104
    """
    return {"lifetime": lifetime, "changes": confirm_tokens(accepts, lifetime)}


@verifier
def collision_probability(bits: int, items: int) -> float:
    """Chance that some two of several random identifiers agree: the birthday problem's approximation.

    Formula: 1 − e^(−n (n − 1) / 2^(b + 1)), near the exact product while n is far below 2ᵇ; 1 for n above it.
    Unit: 1
    Source: definition
    """
    arguments.counts(bits=bits)
    arguments.counts(0, items=items)
    if items > 2**bits:
        return 1.0
    return -math.expm1(-items * (items - 1) / 2 ** (bits + 1))


@verifier
def items_for_collision(bits: int, probability: float = 0.5) -> float:
    """Number of random identifiers at which a collision has a given chance.

    Formula: √(2^(b + 1) · ln(1 / (1 − p))).
    Unit: 1
    Source: definition
    """
    arguments.counts(bits=bits)
    arguments.shares(probability=probability)
    arguments.positive(**{"1 − probability": 1 - probability})
    return math.sqrt(-(2 ** (bits + 1)) * math.log1p(-probability))
