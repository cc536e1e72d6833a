"""Independent ways to the numbers of verifiers/sessions.py."""

from __future__ import annotations

import hashlib
import json
import math
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import sessions


@witnesses("sessions.written_bytes")
@pytest.mark.parametrize("turns", [0, 1, 2, 7])
def test_written_bytes_equal_a_file_of_lines(tmp_path: Path, turns: int) -> None:
    delta, snapshot = tmp_path / "delta", tmp_path / "snapshot"
    delta.touch()
    snapshot.touch()
    history = b""
    for _ in range(turns):
        history += b"x" * 13
        with delta.open("ab") as file:
            file.write(b"x" * 13)
        with snapshot.open("ab") as file:
            file.write(history)
    assert sessions.written_bytes(turns, 13) == delta.stat().st_size
    assert sessions.written_bytes(turns, 13, "snapshot") == snapshot.stat().st_size
    assert isinstance(sessions.written_bytes(turns, 13, "snapshot"), int)


@witnesses("sessions.retained")
@pytest.mark.parametrize("cap", [0, 3, 10, None])
def test_retained_equals_a_list_cut_after_each_append(cap: int | None) -> None:
    for entries in range(6):
        history: list[int] = []
        for number in range(entries):
            history.append(number)
            if cap is not None:
                history = history[max(0, len(history) - cap) :]
        assert sessions.retained(entries, cap) == {"kept": len(history), "lost": entries - len(history)}
        if cap is None:
            assert sessions.retained(entries)["lost"] == 0


@witnesses("sessions.checkout_bytes")
@pytest.mark.parametrize("checkouts", [1, 3])
def test_checkout_bytes_count_objects_once_where_they_are_shared(checkouts: int) -> None:
    shared = [100, *[7 for _ in range(checkouts)]]
    copied = [size for _ in range(checkouts) for size in (100, 7)]
    assert sessions.checkout_bytes(100, 7, checkouts) == sum(shared)
    assert sessions.checkout_bytes(100, 7, checkouts, shared=False) == sum(copied)


def test_a_git_worktree_has_files_but_no_objects(tmp_path: Path) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git")

    def run(*words: str) -> None:
        names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run([git, *names, *words], cwd=tmp_path / "main", check=True, capture_output=True)

    (tmp_path / "main").mkdir()
    run("init", "-q", "-b", "trunk")
    (tmp_path / "main" / "data").write_bytes(random.Random(0).randbytes(30_000))
    run("add", ".")
    run("commit", "-q", "-m", "one")
    run("worktree", "add", "-q", "../tree", "-b", "side")
    run("clone", "-q", "--no-hardlinks", ".", "../copy")
    assert (tmp_path / "tree" / ".git").is_file()
    assert (tmp_path / "copy" / ".git" / "objects").is_dir()
    sizes = {
        name: sum(path.stat().st_size for path in (tmp_path / name).rglob("*") if path.is_file())
        for name in ("tree", "copy")
    }
    objects = sum(
        path.stat().st_size for path in (tmp_path / "main/.git/objects").rglob("*") if path.is_file()
    )
    added = sessions.checkout_bytes(objects, 30_000, 2) - sessions.checkout_bytes(objects, 30_000, 1)
    assert sizes["tree"] == pytest.approx(added, rel=0.02)
    copied = sessions.checkout_bytes(objects, 30_000, 2, False) - sessions.checkout_bytes(
        objects, 30_000, 1, False
    )
    assert copied < sizes["copy"] and sizes["tree"] < 0.6 * copied
    with pytest.raises(subprocess.CalledProcessError):
        run("worktree", "add", "-q", "../again", "side")


@witnesses("sessions.torn_log_keeps_whole_records")
def test_torn_logs_read_from_a_real_file(tmp_path: Path) -> None:
    log = sessions.append_records(4)
    lines = log.decode().splitlines()
    assert [json.loads(line)["turn"] for line in lines] == [0, 1, 2, 3]
    assert json.loads(lines[2])["text"] == "éé"
    for end in range(len(log) + 1):
        (tmp_path / "log").write_bytes(log[:end])
        with (tmp_path / "log").open("rb") as file:
            whole = [line for line in file if line.endswith(b"\n")]
        assert sessions.read_log(log[:end]) == list(range(len(whole)))
    assert sessions.torn_log_keeps_whole_records() == {
        "records": 12,
        "cuts": len(sessions.append_records(12)) + 1,
    }

    def strict(data: bytes) -> list[int]:
        return [json.loads(line)["turn"] for line in data.splitlines()]

    def hopeful(data: bytes) -> list[int]:
        found = []
        for line in data.splitlines():
            try:
                found.append(json.loads(line)["turn"])
            except ValueError:
                break
        return found

    with pytest.raises(ValueError):
        sessions.confirm_recovery(strict, 3)
    with pytest.raises(AssertionError, match="cut after"):
        sessions.confirm_recovery(hopeful, 3)
    with pytest.raises(AssertionError, match="cut after"):
        sessions.confirm_recovery(lambda data: sessions.read_log(data)[:2], 3)


@witnesses("sessions.snapshot_and_log_restore_the_state")
def test_restored_states_equal_the_last_write_of_each_key() -> None:
    events = [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("b", 5)]
    last = dict(events)
    assert sessions.replay({}, events) == last
    for at in range(6):
        assert sessions.replay(dict(events[:at]), events[at:]) == last
    expected = {"events": 100, "keys": 7, "seeds": 3}
    assert sessions.snapshot_and_log_restore_the_state() == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "replay", lambda snapshot, log: snapshot)
        with pytest.raises(AssertionError, match="snapshot after"):
            sessions.snapshot_and_log_restore_the_state()
    sessions.confirm_replay(lambda snapshot, log: {**snapshot, **dict(log)}, 30, 4, 2)
    for broken in (
        lambda snapshot, log: snapshot,
        lambda snapshot, log: dict(log),
        lambda snapshot, log: {**dict(log), **snapshot},
        lambda snapshot, log: sessions.replay(snapshot, log[1:]),
        lambda snapshot, log: sessions.replay(snapshot, log[::-1]),
    ):
        with pytest.raises(AssertionError, match="snapshot after"):
            sessions.confirm_replay(broken, 30, 4, 2)


def test_every_point_and_every_seed_is_tried() -> None:
    seen = []

    def remember(snapshot: dict[str, int], log: list[tuple[str, int]]) -> dict[str, int]:
        seen.append((tuple(sorted(snapshot)), tuple(log)))
        return {**snapshot, **dict(log)}

    sessions.confirm_replay(remember, 10, 3, 2)
    assert [len(log) for _, log in seen] == [*range(10, -1, -1)] * 2
    assert len(set(seen)) > 15
    assert {key for _, log in seen for key, _ in log} == {"key 0", "key 1", "key 2"}


@witnesses("sessions.hash_chain_betrays_tampering")
def test_chain_equals_nested_hashes_and_plain_hashes_fail() -> None:
    def digest(text: str) -> str:
        return hashlib.new("sha256", text.encode()).hexdigest()

    first = digest("\na")
    assert sessions.chain(["a", "b"]) == [first, digest(f"{first}\nb")]
    assert sessions.hash_chain_betrays_tampering() == {"entries": 8, "forgeries": 8 * 4 - 1}
    for broken in (
        lambda entries: [digest(entry) for entry in entries],
        lambda entries: [digest("".join(sorted(entries)))],
        lambda entries: [digest("".join(entries[:3]))],
        lambda entries: [digest("".join(sorted(set(entries[1:]))))],
        lambda entries: [str(len(entries))],
    ):
        with pytest.raises(AssertionError, match="not noticed"):
            sessions.confirm_chain(broken, 5)
    numbers = iter(range(1000))
    with pytest.raises(AssertionError, match="another hash"):
        sessions.confirm_chain(lambda entries: [str(next(numbers))], 5)


def test_every_kind_of_forgery_is_tried() -> None:
    tried: list[tuple[str, ...]] = []

    def remember(entries: list[str]) -> list[str]:
        tried.append(tuple(entries))
        return [" ".join(entries)]

    assert sessions.confirm_chain(remember, 3) == 11
    a, b, c = (f"entry {n}" for n in range(3))
    x = "forged"
    assert set(tried) == {
        (a, b, c), (x, b, c), (a, x, c), (a, b, x), (x, a, b, c), (a, x, b, c), (a, b, x, c),
        (b, c), (a, c), (a, b), (b, a, c), (a, c, b),
    }  # fmt: skip


@witnesses("sessions.signed_tokens_resist_tampering")
def test_signatures_equal_the_padded_hashes_of_the_standard() -> None:
    key, body = b"secret", "tenant a|search|1300|nonce 1"
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + body.encode()).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).hexdigest()
    token = sessions.sign(key, "tenant a", "search", 1300, "nonce 1")
    assert token == f"{body}|{outer}"
    used: set[str] = set()
    assert sessions.accepts(key, token, 1299, used) and used == {"nonce 1"}
    assert not sessions.accepts(key, token, 1299, used)
    assert not sessions.accepts(key, token, 1300, set())
    assert sessions.signed_tokens_resist_tampering() == {"lifetime": 300, "changes": len(token)}


def test_careless_services_are_noticed() -> None:
    real = sessions.accepts

    def careless(change: Any) -> Any:
        def accept(key: bytes, token: str, now: int, used: set[str]) -> bool:
            return bool(change(key, token, now, used))

        return accept

    for change, message in (
        (lambda key, token, now, used: real(b"secret", token, now, used), "another|other key"),
        (lambda key, token, now, used: real(key, token, min(now, 1000), used), "expired"),
        (lambda key, token, now, used: real(key, token, now + 1, used), "fresh"),
        (lambda key, token, now, used: real(key, token, now, set()), "twice"),
        (lambda key, token, now, used: False, "fresh"),
        (lambda key, token, now, used: real(key, token.replace("tenbnt", "tenant"), now, used), "changed"),
        (lambda key, token, now, used: real(key, token[:-1] + sessions.sign(b"secret", "tenant a", "search", 1300, "nonce 1")[-1], now, used), "changed"),
        (lambda key, token, now, used: real(key, "t" + token[1:], now, used), "letter 0 changed"),
    ):  # fmt: skip
        with pytest.raises(AssertionError, match=message):
            sessions.confirm_tokens(careless(change), 300)


@witnesses("sessions.collision_probability", "sessions.items_for_collision")
@pytest.mark.parametrize(("bits", "items"), [(16, 50), (16, 300), (20, 1000), (8, 2), (32, 1)])
def test_collisions_equal_the_exact_product(bits: int, items: int) -> None:
    apart = math.prod(1 - number / 2**bits for number in range(items))
    got = sessions.collision_probability(bits, items)
    assert got == pytest.approx(1 - apart, rel=0.01)
    assert sessions.collision_probability(bits, 0) == 0
    if items > 100:
        assert sessions.items_for_collision(bits, got) == pytest.approx(items, rel=0.01)


def test_collisions_equal_random_draws() -> None:
    chance = random.Random(3)
    draws = [len({chance.getrandbits(12) for _ in range(60)}) < 60 for _ in range(4000)]
    assert sessions.collision_probability(12, 60) == pytest.approx(sum(draws) / 4000, abs=0.03)
    half = sessions.items_for_collision(12)
    assert sessions.collision_probability(12, round(half)) == pytest.approx(0.5, abs=0.02)
    assert sessions.items_for_collision(12, 0) == 0
    assert sessions.collision_probability(1, 2) == pytest.approx(1 - math.exp(-0.5))
    assert sessions.collision_probability(1, 3) == 1 == sessions.collision_probability(3, 9)
    assert sessions.collision_probability(3, 8) == pytest.approx(1 - math.exp(-3.5))


@pytest.mark.parametrize(
    "call",
    [
        lambda: sessions.written_bytes(-1, 1),
        lambda: sessions.written_bytes(1, -1),
        lambda: sessions.written_bytes(1, 1, "full"),
        lambda: sessions.retained(-1),
        lambda: sessions.retained(1, -1),
        lambda: sessions.retained(1, True),
        lambda: sessions.checkout_bytes(-1, 1, 1),
        lambda: sessions.checkout_bytes(1, -1, 1),
        lambda: sessions.checkout_bytes(1, 1, 0),
        lambda: sessions.collision_probability(0, 1),
        lambda: sessions.collision_probability(1, -1),
        lambda: sessions.items_for_collision(0),
        lambda: sessions.items_for_collision(8, 1),
        lambda: sessions.items_for_collision(8, -0.1),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()


def test_certainty_has_no_number_of_items() -> None:
    with pytest.raises(ValueError, match="1 − probability must be above 0"):
        sessions.items_for_collision(8, 1)
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        sessions.items_for_collision(8, 1.5)


def test_least_arguments_are_allowed() -> None:
    assert sessions.checkout_bytes(0, 0, 1) == 0 == sessions.written_bytes(3, 0)
