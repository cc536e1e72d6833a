"""Which changes of code make a result stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofdeck.cache import Cache
from proofdeck.evidence.closures import recall_closures, remember_closures
from proofdeck.evidence.code import Closure, Code

from .helpers import Case, cases, files_of, make_deck, verifier_source


def digest(root: Path, function: str = "m.f", folder: str = "verifiers") -> str:
    return Code(root).closure(folder, function)[0]


@pytest.mark.parametrize("case", cases("code_hash"))
def test_a_change_of_what_is_used_changes_the_hash_and_nothing_else_does(case: Case, tmp_path: Path) -> None:
    files = files_of(case.text)
    deck = make_deck(tmp_path, files)
    before = digest(tmp_path)
    found = []
    for line in case.expected.split("\n"):
        path, _, edit = line.partition(": ")
        edit, _, _ = edit.rpartition(": ")
        old, arrow, new = (word.replace("⏎", "\n") for word in edit.partition(" → "))
        assert arrow, line
        deck.edit(path, old, new)
        found.append(f"{path}: {edit}: {'same' if digest(tmp_path) == before else 'changed'}")
        deck.write(path, files[path])
        assert digest(tmp_path) == before
    assert "\n".join(found) == case.expected


def test_files_are_read_again_only_where_they_changed(tmp_path: Path) -> None:
    deck = make_deck(tmp_path, {"verifiers/m.py": verifier_source("return 1")})
    remembered: dict = {}
    first = Code(tmp_path, remembered)
    assert set(remembered) == {"verifiers/m.py", "verifiers/shapes.py"}
    modules = {file: module for file, (_, module) in remembered.items()}
    deck.edit("verifiers/m.py", "return 1", "return 2")
    second = Code(tmp_path, remembered)
    assert remembered["verifiers/shapes.py"][1] is modules["verifiers/shapes.py"]
    assert remembered["verifiers/m.py"][1] is not modules["verifiers/m.py"]
    assert first.closure("verifiers", "m.f")[0] != second.closure("verifiers", "m.f")[0]


def test_the_hash_is_the_same_in_every_folder_and_with_windows_newlines(tmp_path: Path) -> None:
    source = verifier_source("x = 1\nreturn x")
    make_deck(tmp_path / "one", {"verifiers/m.py": source})
    other = make_deck(tmp_path / "two" / "deeper")
    other.write("verifiers/m.py", source.replace("\n", "\r\n"))
    assert digest(tmp_path / "one") == digest(tmp_path / "two" / "deeper")


def test_two_functions_have_two_hashes(tmp_path: Path) -> None:
    make_deck(tmp_path)
    names = ("shapes.area", "shapes.ratio", "shapes.symmetric", "shapes.rows")
    assert len({digest(tmp_path, name) for name in names}) == 4


@pytest.mark.parametrize(
    ("before", "body", "libraries"),
    [
        ("", "return 1", ()),
        ("import math\nimport json", "return math.pi", ()),
        ("import numpy as np", "return np.sum([1])", ("numpy",)),
        ("import numpy as np", "return 1", ()),
        ("", "import torch.nn\nreturn 1", ("torch",)),
        ("from scipy.special import gamma\nimport numpy", "return gamma(2) + numpy.e", ("numpy", "scipy")),
        ("from verifiers import shapes", "return shapes.area()", ()),
        ("import numpy as np\nTABLE = np.ones(3)", "return TABLE[0]", ("numpy",)),
        ("try:\n    import numpy as np\nexcept ImportError:\n    np = None", "return np.e", ("numpy",)),
    ],
)
def test_libraries_behind_a_function_are_known(
    before: str, body: str, libraries: tuple[str, ...], tmp_path: Path
) -> None:
    make_deck(tmp_path, {"verifiers/m.py": verifier_source(body, before=before)})
    assert Code(tmp_path).closure("verifiers", "m.f")[1] == libraries


def test_what_the_decorator_and_the_docstring_say_is_read_without_importing(tmp_path: Path) -> None:
    source = verifier_source(
        "raise SystemExit",
        unit="weights=B, share=1",
        options="(timeout=2.5, memory=4 * 2**20, tolerance=1e-6)",
        before="raise RuntimeError('never imported')",
    ).replace("Unit:", "Source: euclid300, gauss1801\n    Unit:")
    make_deck(tmp_path, {"verifiers/m.py": source})
    function = Code(tmp_path).functions["m.f"]
    assert (function.kind, function.doc, function.file) == ("verifier", "Something.", "verifiers/m.py")
    assert function.line == source.split("\n").index("def f():") + 1
    assert function.source.startswith("@verifier(timeout=2.5") and function.source.endswith(
        "raise SystemExit"
    )
    assert function.units == (("weights", "B"), ("share", "1"))
    assert (function.unit("weights"), function.unit("share"), function.unit("other")) == ("B", "1", "1")
    assert function.references == ("euclid300", "gauss1801")
    assert [function.option(name, 0) for name in ("timeout", "memory", "tolerance")] == [2.5, 4 * 2**20, 1e-6]
    assert function.option("nothing", 7) == 7


@pytest.mark.parametrize(
    "options", ["(timeout=1 / 2)", "(memory=1 << 30)", "(timeout=SECONDS)", "(timeout=-(-7))"]
)
def test_an_option_is_honoured_or_told(options: str, tmp_path: Path) -> None:
    source = verifier_source("return 1", options=options, before="SECONDS = 0.5")
    deck = make_deck(tmp_path, {"verifiers/m.py": source}, "{value}`m.f()`")
    told = deck.run("check")
    assert told.status == 1 or Code(tmp_path).functions["m.f"].options != ()


@pytest.mark.parametrize(
    "decorator",
    [
        "@verifier",
        "@verifier()",
        "@proofdeck.verifier",
        "@proofdeck.verifier(timeout=1)",
        "@other\n@verifier",
    ],
)
def test_a_verifier_is_found_however_it_is_marked(decorator: str, tmp_path: Path) -> None:
    make_deck(tmp_path, {"verifiers/a/b.py": f'{decorator}\ndef f():\n    """X.\n\n    Unit: check"""\n'})
    function = Code(tmp_path).functions["a.b.f"]
    assert function.is_check


def test_what_is_not_marked_is_no_verifier(tmp_path: Path) -> None:
    source = (
        "from functools import cache\n@cache\ndef f(): ...\nclass A:\n    @verifier\n    def g(self): ...\n"
    )
    make_deck(tmp_path, {"verifiers/m.py": source, "verifiers/.hidden/n.py": "@verifier\ndef f(): ..."})
    assert all(name.startswith("shapes.") for name in Code(tmp_path).functions)


def test_a_file_with_a_syntax_error_is_told_with_its_place(tmp_path: Path) -> None:
    make_deck(tmp_path, {"verifiers/m.py": "x = 1\ndef f(:\n    pass\n"})
    module = Code(tmp_path).module("verifiers.m")
    assert module is not None and module.error is not None
    assert module.error[:2] == (2, 7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "\xff",
        "x = " + "-" * 2000 + "1",
        "x = " + " + ".join(["1"] * 3000),
        "(" * 500,
        "\ufeffx = 1\n",
        "\x0c\nx = 1",
    ],
)
def test_no_file_breaks_the_reader(text: str, tmp_path: Path) -> None:
    make_deck(tmp_path, {"verifiers/m.py": text})
    Code(tmp_path)


def test_what_an_earlier_run_found_is_taken_over_while_nothing_it_looked_at_changed(tmp_path: Path) -> None:
    body = "from helpers import h\nimport later\nreturn h() + later.x"
    deck = make_deck(tmp_path, {"verifiers/m.py": verifier_source(body), "helpers.py": "def h(): return 1\n"})
    with Cache(tmp_path / ".proofdeck").closing() as cache:

        def found() -> tuple[int, Closure]:
            """How many closures are recalled, and the one behind m.f; it is remembered."""
            code = Code(tmp_path)
            recall_closures(code, cache)
            recalled, closure = code.recalled, code.closure("verifiers", "m.f")
            assert closure == Code(tmp_path).closure("verifiers", "m.f")
            remember_closures(code, cache)
            return recalled, closure

        seen = [found(), found()]
        deck.edit("helpers.py", "return 1", "return 2")  # a module outside verifiers/
        seen += [found(), found()]
        deck.write("later.py", "x = 1\n")  # a library becomes a module of the project
        seen += [found(), found()]
        (tmp_path / "later.py").unlink()
        deck.write("later/data.txt", "")  # or a folder, which holds a namespace package
        seen += [found(), found()]
    assert [recalled for recalled, _ in seen] == [0, 1] * 4
    assert [closure[1] for _, closure in seen[::2]] == [("later",), ("later",), (), ()]
    assert len({closure[0] for _, closure in seen}) == 3  # an empty package has no code


def test_a_module_that_becomes_a_package_imports_from_elsewhere(tmp_path: Path) -> None:
    source = verifier_source("return k()", before="from .helper import k")
    deck = make_deck(tmp_path, {"verifiers/m.py": source, "verifiers/helper.py": "def k(): return 1\n"})
    with Cache(tmp_path / ".proofdeck").closing() as cache:
        code = Code(tmp_path)
        before = code.closure("verifiers", "m.f")
        remember_closures(code, cache)
        (tmp_path / "verifiers/m.py").unlink()
        deck.write("verifiers/m/__init__.py", source)
        deck.write("verifiers/m/helper.py", "def k(): return 2\n")
        code = Code(tmp_path)
        recall_closures(code, cache)
        assert code.recalled == 0
        assert code.closure("verifiers", "m.f") != before
