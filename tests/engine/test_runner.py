"""A verifier that hangs, crashes or eats memory fails alone, with its name and reason."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import pytest

from proofdeck.evidence.runner import Outcome, Task, run
from proofdeck.parse.expressions import parse_call

from .helpers import Deck

MiB = 2**20
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory and process groups are Linux's")

BAD = {
    "hangs": "while True: pass",
    "sleeps": "time.sleep(60)",
    "ignores_signals": "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGALRM, signal.SIG_IGN); time.sleep(60)",
    "reads": "return sys.stdin.read()",
    "waits_for_a_child": "subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])",
    "ends": "os._exit(3)",
    "ends_well": "os._exit(0)",
    "exits": "sys.exit('enough')",
    "segfaults": "ctypes.string_at(0)",
    "aborts": "os.abort()",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "odd_signal": "os.kill(os.getpid(), 40); time.sleep(60)",
    "eats": "return len([bytes(2**20) for _ in range(10**6)])",
    "eats_at_once": "return len(bytearray(2**40))",
    "eats_arrays": "import numpy; return float(numpy.ones(2**37).sum())",
    "raises": "return {}['no such key']",
    "raises_odd": "raise KeyboardInterrupt",
    "recurses": "return BAD_RECURSION()",
    "false": "assert 1 == 2, 'one is not two'",
    "false_without_words": "assert 1 == 2",
    "an_object": "return object()",
    "a_set": "return {1, 2}",
    "a_function": "return len",
    "too_deep": "return [[[[[1]]]]]",
    "too_many_digits": "return 10 ** 5000",
    "closes_everything": "os.closerange(0, 64); return 1",
}
GOOD = {
    "good": "return 42",
    "prints": "print('{\"value\": 7}'); sys.stdout.flush(); os.write(1, b'noise\\n'); os.system('echo more'); return 1",
    "shouts": "sys.stderr.write('x' * 10**6); return 2",
    "moves": "os.chdir('/'); return 3",
    "a_float": "import numpy; return numpy.float64(0.5)",
    "an_array_scalar": "import numpy; return numpy.int64(7)",
    "a_fraction": "import fractions; return fractions.Fraction(1, 4)",
    "a_mapping": "return {'a': 1, 'b': (1.5, 'x', None)}",
    "random_is_seeded": "import random; return random.random()",
    "last": "return 43",
}
SECONDS = 1.0


def module(functions: dict[str, str]) -> str:
    head = "import ctypes, os, signal, subprocess, sys, time\n\n\ndef BAD_RECURSION():\n    return BAD_RECURSION()\n"
    return head + "".join(f"\n\ndef {name}():\n{indent(body, '    ')}\n" for name, body in functions.items())


HANG = ("hangs", "sleeps", "ignores_signals", "reads", "waits_for_a_child")
"""Functions that need a short limit; the others have time on a busy machine."""


@pytest.fixture
def call(deck_at: Callable[..., Deck]) -> Callable[..., list[Outcome]]:
    """Makes calls of `verifiers/m.py` under short limits."""

    def make(
        functions: dict[str, str], *, jobs: int = 2, seconds: float = 30, memory: int = 256 * MiB
    ) -> list[Outcome]:
        deck = deck_at({"verifiers/m.py": module(functions)})
        tasks = [
            Task("verifiers", parse_call(f"m.{name}()"), SECONDS if name in HANG else seconds, memory)
            for name in functions
        ]
        return run(deck.root, tasks, jobs)

    return make


REASONS = {
    "hangs": "it ran for more than 1 s",
    "sleeps": "it ran for more than 1 s",
    "ignores_signals": "it ran for more than 1 s",
    "reads": "it ran for more than 1 s",
    "waits_for_a_child": "it ran for more than 1 s",
    "ends": "it ended the interpreter with status 3",
    "ends_well": "it ended the interpreter with status 0",
    "exits": "SystemExit: enough (m.py:",
    "segfaults": "it crashed the interpreter (segmentation fault)",
    "aborts": "it was ended by SIGABRT",
    "killed": "it was killed (out of memory?)",
    "odd_signal": "it was ended by",
    "eats": "it wanted more than 0.25 GiB of memory",
    "eats_at_once": "it wanted more than 0.25 GiB of memory",
    "eats_arrays": "it wanted more than 0.25 GiB of memory",
    "raises": "KeyError: 'no such key' (m.py:",
    "raises_odd": "KeyboardInterrupt (m.py:",
    "recurses": "RecursionError: maximum recursion depth exceeded (m.py:",
    "false": "one is not two",
    "false_without_words": "the property does not hold",
    "an_object": "returned object: return a number, a text, a mapping or a list of rows",
    "a_set": "returned set: return a number",
    "a_function": "returned builtin_function_or_method: return a number",
    "too_deep": "returned list: return a number",
    "too_many_digits": "digits",
    "closes_everything": "",
}


@LINUX
def test_each_bad_verifier_fails_alone_with_its_reason_and_the_others_finish(
    call: Callable[..., list[Outcome]],
) -> None:
    mixed = dict(zip(GOOD, GOOD.values(), strict=True))
    functions: dict[str, str] = {}
    for number, (name, body) in enumerate(BAD.items()):
        functions[name] = body
        functions[f"{name}_after"] = f"return {number}"
    functions |= mixed
    begin = time.monotonic()
    outcomes = call(functions)
    assert time.monotonic() - begin < 60
    assert [outcome.task.call.function for outcome in outcomes] == [f"m.{name}" for name in functions]
    found = {outcome.task.call.function.removeprefix("m."): outcome for outcome in outcomes}
    for number, name in enumerate(BAD):
        assert found[name].failed, name
        assert REASONS[name] in found[name].failed, (name, found[name].failed)
        assert found[name].value is None
        assert (found[f"{name}_after"].failed, found[f"{name}_after"].value) == ("", number), name
    told = {name: (found[name].failed, found[name].value) for name in GOOD}
    assert told.pop("random_is_seeded")[1] == pytest.approx(0.8444218515250481)
    assert told == {
        "good": ("", 42),
        "prints": ("", 1),
        "shouts": ("", 2),
        "moves": ("", 3),
        "a_float": ("", 0.5),
        "an_array_scalar": ("", 7),
        "a_fraction": ("", 0.25),
        "a_mapping": ("", {"a": 1, "b": [1.5, "x", None]}),
        "last": ("", 43),
    }


def test_last_words_are_told(call: Callable[..., list[Outcome]]) -> None:
    functions = {"f": "print('before the end'); sys.stdout.flush(); os._exit(7)", "g": "os._exit(8)"}
    first, second = call(functions, jobs=1)
    assert first.failed == "it ended the interpreter with status 7; last words: before the end"
    assert second.failed == "it ended the interpreter with status 8"


def test_tasks_run_at_the_same_time(call: Callable[..., list[Outcome]]) -> None:
    functions = {f"f{n}": "begin = time.time(); time.sleep(1); return [begin, time.time()]" for n in range(3)}
    outcomes = call(functions, jobs=3, seconds=20)
    assert not any(outcome.failed for outcome in outcomes)
    spans = sorted(outcome.value for outcome in outcomes)
    assert any(following[0] < span[1] for span, following in itertools.pairwise(spans))


def test_one_worker_makes_one_call_after_the_other(call: Callable[..., list[Outcome]]) -> None:
    functions = {f"f{n}": "return os.getpid()" for n in range(3)} | {
        "f9": "os._exit(1)",
        "g": "return os.getpid()",
    }
    pids = [outcome.value for outcome in call(functions, jobs=1)]
    assert len(set(pids[:3])) == 1
    assert pids[4] not in pids[:4]
    assert os.getpid() not in pids


def test_nothing_to_run_starts_no_process(tmp_path: Path) -> None:
    assert run(tmp_path / "missing", []) == []


@LINUX
def test_what_a_verifier_leaves_behind_is_killed(call: Callable[..., list[Outcome]]) -> None:
    functions = {
        "leaves": "return subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid",
        "hangs": "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid); time.sleep(60)",
    }
    left, hung = call(functions, jobs=1)
    pids = [left.value, int(hung.failed.rpartition(" ")[2])]
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if alive(pid)] == []


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@LINUX
@pytest.mark.parametrize("twice", ["os.fork(); return 1", "os.fork() or time.sleep(0.3); return 1"])
def test_a_verifier_that_forks_gives_no_other_call_its_value(
    twice: str, call: Callable[..., list[Outcome]]
) -> None:
    functions = {"a": twice, "b": "time.sleep(0.6); return 42", "c": "return 43"}
    forked, *others = call(functions, jobs=1, seconds=5)
    assert forked.failed or forked.value == 1
    assert all(
        outcome.failed or outcome.value == number for outcome, number in zip(others, (42, 43), strict=True)
    )


def test_every_call_is_seeded_anew(call: Callable[..., list[Outcome]]) -> None:
    body = "import random, numpy; return [random.random(), float(numpy.random.rand())]"
    one, two, three = call({"a": "import numpy; return 0", "b": body, "c": body}, jobs=1, seconds=20)
    assert two.value == three.value
    assert one.value == 0


def test_hashes_of_texts_are_the_same_in_every_process(
    call: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "77")
    found = {
        outcome.value
        for _ in range(2)
        for outcome in call({"a": "return hash('text')", "b": "os._exit(1)"})
        if not outcome.failed
    }
    assert len(found) == 1
    assert found == {call({"a": "return hash('text')"})[0].value}
    monkeypatch.setenv("PYTHONHASHSEED", "78")
    assert found == {call({"a": "return hash('text')"})[0].value}


def test_the_memory_limit_counts_from_what_is_held(call: Callable[..., list[Outcome]]) -> None:
    keep = "KEPT.append(bytes(100 * 2**20)); return len(KEPT)"
    functions = {
        "a": "global KEPT; KEPT = []; return 0",
        "b": keep,
        "c": keep,
        "d": keep,
        "e": "return bytes(2**30) and 1",
    }
    outcomes = call(functions, jobs=1, memory=200 * MiB)
    assert [outcome.value for outcome in outcomes[:4]] == [0, 1, 2, 3]
    if sys.platform == "linux":
        assert "memory" in outcomes[4].failed


def test_a_module_that_cannot_be_imported_fails_its_calls(deck_at: Callable[..., Deck]) -> None:
    files = {
        "verifiers/bad.py": "import no_such_library\n",
        "verifiers/worse.py": "raise SystemExit(3)\n",
        "verifiers/slow.py": "import time\ntime.sleep(60)\n",
        "verifiers/good.py": "def f(): return 1\n",
    }
    deck = deck_at(files)
    names = ["bad.f()", "worse.f()", "slow.f()", "good.f()", "good.missing()", "nothing.f()"]
    outcomes = run(
        deck.root, [Task("verifiers", parse_call(n), SECONDS if "slow" in n else 30) for n in names], 2
    )
    assert [(outcome.failed.partition(":")[0], outcome.value) for outcome in outcomes] == [
        ("ModuleNotFoundError", None),
        ("SystemExit", None),
        ("it ran for more than 1 s", None),
        ("", 1),
        ("AttributeError", None),
        ("ModuleNotFoundError", None),
    ]


@pytest.mark.parametrize("name", ["random", "json", "signal"])
def test_a_verifier_named_like_a_library_does_not_take_its_place(
    name: str, deck_at: Callable[..., Deck], monkeypatch: pytest.MonkeyPatch
) -> None:
    deck = deck_at({f"verifiers/{name}.py": "def f(): return 1\n"})
    monkeypatch.chdir(deck.root / "verifiers")
    [outcome] = run(deck.root, [Task("verifiers", parse_call(f"{name}.f()"))])
    assert (outcome.failed, outcome.value) == ("", 1)


def test_arguments_arrive_as_they_were_written(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at({"verifiers/m.py": "def f(*args, **kwargs):\n    return repr((args, kwargs))\n"})
    call = parse_call("m.f(1, -2.5, 'é\\n', None, True, [1, ['x']], b='🙂', a=1e300)")
    [outcome] = run(deck.root, [Task("verifiers", call)])
    assert outcome.value == repr(((1, -2.5, "é\n", None, True, [1, ["x"]]), {"a": 1e300, "b": "🙂"}))


def test_an_edit_within_the_same_second_is_seen(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at()
    found = []
    for number in range(3):
        deck.write("verifiers/m.py", f"from verifiers.n import N\ndef f(): return N + {number}\n")
        deck.write("verifiers/n.py", f"N = {10 * number}\n")
        found.append(run(deck.root, [Task("verifiers", parse_call("m.f()"))])[0].value)
    assert found == [0, 11, 22]
    assert not list(deck.root.rglob("*.pyc"))


def test_progress_is_told_after_each_call(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at({"verifiers/m.py": module({"a": "return 1", "b": "os._exit(1)", "c": "return 3"})})
    seen: list[str] = []
    tasks = [Task("verifiers", parse_call(f"m.{name}()")) for name in "abc"]
    run(deck.root, tasks, 2, lambda outcome: seen.append(str(outcome.task.call)))
    assert sorted(seen) == ["m.a()", "m.b()", "m.c()"]


def test_an_interruption_begins_no_more_calls(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at({"verifiers/m.py": "def f(n):\n    return n\n"})
    done: list[str] = []

    def interrupt(outcome: Outcome) -> None:
        done.append(str(outcome.task.call))
        if len(done) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(deck.root, [Task("verifiers", parse_call(f"m.f({n})")) for n in range(1000)], 2, interrupt)
    assert len(done) < 1000


@LINUX
def test_an_interruption_ends_the_calls_that_run(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at({"verifiers/m.py": "import time\ndef f(n):\n    time.sleep(n)\n"})
    main = threading.main_thread().ident
    assert main is not None
    done: list[str] = []

    def interrupt(outcome: Outcome) -> None:
        done.append(str(outcome.task.call))
        threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT)).start()

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(deck.root, [Task("verifiers", parse_call(f"m.f({n})"), 60.0) for n in (50, 0)], 1, interrupt)
    assert time.monotonic() - begin < 25
    assert len(done) == 1  # of what was killed nothing is told
