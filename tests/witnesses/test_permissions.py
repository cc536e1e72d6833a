"""Independent ways to the numbers of verifiers/permissions.py."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import permissions


def glob(pattern: list[str], path: list[str]) -> bool:
    """Match folder by folder; `**` takes any number of them."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        # the last ** needs a name to match, as it stands for what lies below
        if len(pattern) == 1:
            return bool(path)
        return any(glob(pattern[1:], path[taken:]) for taken in range(len(path) + 1))
    import fnmatch

    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and glob(pattern[1:], path[1:])


@witnesses("permissions.matches")
def test_globs_equal_a_match_folder_by_folder() -> None:
    patterns = [
        "*.md",
        "*/SKILL.md",
        "src/**",
        "**/a",
        "a/**/b",
        "a?c",
        "*",
        "**",
        "src/*.ts",
        "a.b",
        "**/*.ts",
        "a*c/d",
    ]
    paths = [
        "a",
        "b",
        "a.md",
        "x/SKILL.md",
        "SKILL.md",
        "src/a.ts",
        "src/x/a.ts",
        "x/y/a",
        "a/b",
        "a/x/b",
        "a/x/y/b",
        "abc",
        "a/c",
        "axb",
        "aXXc/d",
        "ab",
    ]
    for pattern, path in product(patterns, paths):
        expected = glob(pattern.split("/"), path.split("/"))
        assert permissions.matches(pattern, path) == expected, (pattern, path)
        assert permissions.matches(pattern, path, "glob") == expected


def test_globs_agree_with_real_folders(tmp_path: Path) -> None:
    for file in ("my-skill/SKILL.md", "notes.md", "src/a.ts", "src/x/b.ts"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("")
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    for pattern in ("*.md", "*/SKILL.md", "**/*.ts", "src/*.ts", "**/SKILL.md", "src/?.ts"):
        found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob(pattern) if path.is_file()}
        assert {file for file in files if permissions.matches(pattern, file)} == found


@pytest.mark.parametrize(
    ("pattern", "text", "how", "expected"),
    [
        ("src/**", "src/a.ts", "substring", 0),
        ("npm test", "rm -rf / && npm test", "substring", 1),
        ("rm -rf", "rm -r -f", "substring", 0),
        ("npm test", "npm test", "exact", 1),
        ("npm test", "npm test x", "exact", 0),
        ("npm:*", "npm", "exact", 0),
        ("npm:*", "npm", "prefix", 1),
        ("npm:*", "npm test", "prefix", 1),
        ("npm:*", "npmx", "prefix", 0),
        ("npm", "npm test", "prefix", 0),
        ("npm", "npm", "prefix", 1),
        ("npm*", "npm test", "prefix", 0),
        (r"\w+", "mcp__my-server__do", "regex", 0),
        (r"[\w-]+", "mcp__my-server__do", "regex", 1),
        (r"a.b", "a\nb", "regex", 1),
        ("a**b", "a\nb", "glob", 1),
        ("a.c", "abc", "glob", 0),
        ("", "", "glob", 1),
    ],
)
def test_ways_to_match(pattern: str, text: str, how: str, expected: int) -> None:
    assert permissions.matches(pattern, text, how) == expected


CASES: list[tuple[dict[str, Any], str]] = [
    ({}, "ask"),
    ({"rules": ["allow Edit"]}, "allow"),
    ({"rules": ["ask Edit"]}, "ask"),
    ({"rules": ["deny Edit"]}, "deny"),
    ({"rules": ["allow Edit", "deny Edit(src/**)"]}, "deny"),
    ({"rules": ["allow Edit", "deny Edit(lib/**)"]}, "allow"),
    ({"rules": ["allow Edit", "ask Edit(src/*)"]}, "ask"),
    ({"rules": ["allow Bash", "deny Write"]}, "ask"),
    ({"rules": ["allow *"]}, "allow"),
    ({"rules": ["allow Ed*(src/a.ts)"]}, "allow"),
    ({"hook": "allow"}, "allow"),
    ({"hook": "deny", "rules": ["allow Edit"], "mode": "bypass"}, "deny"),
    ({"hook": "ask", "rules": ["allow Edit"]}, "ask"),
    ({"hook": "allow", "rules": ["deny Edit"]}, "deny"),
    ({"mode": "bypass"}, "allow"),
    ({"mode": "bypass", "rules": ["deny Edit"]}, "deny"),
    ({"mode": "plan"}, "ask"),
    ({"mode": "plan", "writes": True}, "deny"),
    ({"mode": "plan", "writes": True, "rules": ["allow Edit"]}, "deny"),
    ({"mode": "plan", "rules": ["allow Edit"]}, "allow"),
    ({"mode": "viewer", "hook": "allow"}, "deny"),
    ({"mode": "default", "writes": True}, "ask"),
    ({"hook": "allow", "rules": ["deny Edit"], "order": ["hook", "deny"]}, "allow"),
    ({"hook": "allow", "rules": ["deny Edit"], "order": ["deny", "hook"]}, "deny"),
    ({"mode": "plan", "writes": True, "rules": ["allow Edit"], "order": ["allow", "mode"]}, "allow"),
    ({"rules": ["ask Edit", "allow Edit"], "order": ["deny", "allow", "mode"]}, "allow"),
    ({"rules": ["deny Edit"], "order": ["allow"]}, "ask"),
    ({"rules": ["deny Edit"], "hook": "allow", "order": []}, "ask"),
    ({"rules": ["allow Edit(rc/a)"], "how": "substring"}, "allow"),
    ({"rules": ["allow Edit(rc/a)"]}, "ask"),
]


@witnesses("permissions.decide")
@pytest.mark.parametrize(("case", "expected"), CASES)
def test_decisions_judged_by_hand(case: dict[str, Any], expected: str) -> None:
    assert permissions.decide("Edit", "src/a.ts", **case) == {
        word: int(word == expected) for word in ("deny", "ask", "allow")
    }


def strictest(matched: set[str], hook: str, mode: str, writes: bool) -> str:
    """Rank every word that was said, and take the highest."""
    rank = {"allow": 1, "ask": 2, "deny": 3}
    said = [*matched, *([hook] if hook in rank else [])]
    said += ["deny"] if mode == "viewer" or (mode == "plan" and writes) else []
    said += ["allow"] if mode == "bypass" else []
    return max(said, key=lambda word: rank[word], default="ask")


@witnesses("permissions.strictest_wins")
def test_ranking_gives_the_same_and_orders_of_layers_fail() -> None:
    assert permissions.confirm_decisions(strictest) == 256 == permissions.strictest_wins()["cases"]
    seen = []

    def remember(matched: set[str], hook: str, mode: str, writes: bool) -> str:
        seen.append((frozenset(matched), hook, mode, writes))
        assert permissions.decision(matched, hook, mode, writes) == strictest(matched, hook, mode, writes)
        return strictest(matched, hook, mode, writes)

    permissions.confirm_decisions(remember)
    assert len(set(seen)) == 256
    for order in (
        ("hook", "deny", "ask", "allow", "mode"),
        ("deny", "hook", "ask", "mode", "allow"),
        ("deny", "ask", "allow", "mode"),
    ):
        with pytest.raises(AssertionError, match=r"overrules|in the mode"):
            permissions.confirm_decisions(lambda *case, order=order: permissions.decision(*case, order))

    def twisted(change: Any) -> Any:
        return lambda *case: change(strictest(*case), *case)

    for change, message in (
        (lambda word, m, hook, mode, writes: "ask" if "deny" in m else word, "a refusal"),
        (lambda word, m, hook, mode, writes: "ask" if hook == "deny" else word, "a refusal"),
        (
            lambda word, m, hook, mode, writes: (
                "ask" if mode == "viewer" and not {*m, hook} & {"deny"} else word
            ),
            "in the mode",
        ),
        (
            lambda word, m, hook, mode, writes: (
                "ask" if mode == "plan" and "deny" not in {*m, hook} else word
            ),
            "in the mode",
        ),
        (lambda word, m, hook, mode, writes: "allow" if word == "ask" and "ask" in m else word, "a question"),
        (
            lambda word, m, hook, mode, writes: "allow" if word == "ask" and hook == "ask" else word,
            "a question",
        ),
        (
            lambda word, m, hook, mode, writes: (
                "allow" if word == "ask" and not m and hook == "pass" else word
            ),
            "by nobody",
        ),
    ):
        with pytest.raises(AssertionError, match=message):
            permissions.confirm_decisions(twisted(change))


@witnesses("permissions.executed")
def test_executed_equals_an_executor_that_runs_them() -> None:
    decisions = ["allow", "deny", "ask", "allow", "deny"]
    ran = []
    for word in decisions:
        if not word:
            continue
        ran.append(word)
    assert permissions.executed(decisions, "truth") == len(ran) == 5
    assert (
        permissions.executed(decisions)
        == permissions.executed(decisions, "equal")
        == decisions.count("allow")
    )
    assert permissions.executed([]) == 0


WORDS = [
    "good",
    "bad",
    " ",
    " ",
    ";",
    "&",
    "&&",
    "|",
    "\n",
    "'",
    '"',
    "\\",
    "$",
    "(",
    ")",
    "`",
    ">",
    "x",
    "$(",
    "#",
    "#",
    "\\\n",
    "\u00a0",
]


@witnesses("permissions.command_allowed")
def test_allowed_commands_run_nothing_else_in_a_real_shell(tmp_path: Path) -> None:
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("needs bash")
    chance = random.Random(8)
    texts = ["good " + "".join(chance.choices(WORDS, k=chance.randint(1, 6))) for _ in range(2500)]
    texts += ["good # " + "".join(chance.choices(["\n", "bad ", "# ", "'", '"'], k=7)) for _ in range(300)]
    texts += [
        "good 'bad; bad'",
        'good "a;bad"',
        "good \\; bad",
        "good; good x",
        "good & good",
        "good\ngood",
        "good '$(bad)'",
    ]
    allowed = [text for text in texts if permissions.command_allowed(text, ["good"])]
    assert len(allowed) > 150
    head = "set -f; good() { echo good; }; bad() { echo BAD; }; x() { echo BAD; }\n"
    command_not_found = "command_not_found_handle() { echo BAD; }\n"
    script = head + command_not_found
    for number, text in enumerate(allowed):
        file = tmp_path / f"{number}.sh"
        file.write_text(text + "\n")
        script += f'( . "{file}" ) 2>/dev/null\n'
    output = subprocess.run(
        [shell, "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path, env={"PATH": ""}
    )
    assert "good" in output.stdout
    assert "BAD" not in output.stdout
    assert sorted(os.listdir(tmp_path)) == sorted(f"{number}.sh" for number in range(len(allowed)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("good", 1),
        ("good a b", 1),
        ("  good  ", 1),
        ("goods", 0),
        ("bad", 0),
        ("", 0),
        (" ; ", 0),
        ("good;", 1),
        ("good && good x || also y | good & also", 1),
        ("good\nbad", 0),
        ("good; bad", 0),
        ("good 'a; bad'", 1),
        ('good "a; bad" ; also', 1),
        ("good 'it''s'", 1),
        ("good \\; bad", 1),
        ("good \\\\; bad", 0),
        ("good '\\'; bad", 0),
        ('good "\\"; bad"', 1),
        ("good '\"' ; bad", 0),
        ("good $x", 0),
        ("good '$x'", 1),
        ('good "$x"', 0),
        ("good \\$x", 1),
        ("good `bad`", 0),
        ("good '`'", 1),
        ('good "`bad`"', 0),
        ("good > file", 0),
        ("good < file", 0),
        ("good '>'", 1),
        ('good ">"', 1),
        ("(good)", 0),
        ("good )", 0),
        ("good '", 0),
        ('good "', 0),
        ("good \\", 0),
        ("good '\\'", 1),
        ("good # '\nbad # '", 0),
        ("good;# '\nbad # '", 0),
        ("good; good # '\nbad # '", 0),
        ("good ; good a#b", 1),
        ("good \\\n# '\nbad # '", 0),
        ("# '\nbad # '\ngood", 0),
        ("good\t#", 0),
        ("good a#b", 1),
        ("good '#' \"#\" \\#", 1),
        ("\u00a0good", 0),
        ("good\u00a0x", 0),
        ("good ;\tgood\t", 1),
    ],
)
def test_commands_judged_by_the_grammar_of_the_shell(text: str, expected: int) -> None:
    assert permissions.command_allowed(text, ["good", "also"]) == expected


def test_the_first_letter_is_read_like_any_other() -> None:
    assert permissions.command_allowed("$good", ["$good"]) == 0
    assert permissions.command_allowed("\\$good", ["\\$good"]) == 1


@witnesses("permissions.chained_commands_are_refused")
def test_judges_that_look_at_a_part_are_noticed() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(permissions, "safe_command", lambda text, allowed: True)
        with pytest.raises(AssertionError, match="is allowed"):
            permissions.chained_commands_are_refused()
    assert permissions.chained_commands_are_refused() == {"good": "npm test", "bad": "rm -rf /"}
    permissions.confirm_chains(permissions.safe_command, "ls", "dd")
    for broken, message in (
        (lambda text, allowed: allowed[0] in text, "is allowed"),
        (lambda text, allowed: text.startswith(allowed[0]), "is allowed"),
        (lambda text, allowed: text == allowed[0], "is refused"),
        (lambda text, allowed: False, "is refused"),
        (lambda text, allowed: text.split()[:2] == allowed[0].split() and ";" not in text, "is refused"),
        (lambda text, allowed: text == "" or permissions.safe_command(text, allowed), "'' is allowed"),
        (lambda text, allowed: "#" in text or permissions.safe_command(text, allowed), "is allowed"),
    ):
        with pytest.raises(AssertionError, match=message):
            permissions.confirm_chains(broken, "npm test", "rm -rf /")
    for joint in permissions.JOINTS:
        with pytest.raises(AssertionError, match="is allowed"):
            permissions.confirm_chains(
                lambda text, allowed, joint=joint: (
                    text == f"npm test{joint}rm" or permissions.safe_command(text, allowed)
                ),
                "npm test",
                "rm",
            )


@witnesses("permissions.inside")
def test_inside_agrees_with_resolved_paths(tmp_path: Path) -> None:
    root = tmp_path / "work"
    paths = [
        "a",
        "a/b",
        ".",
        "",
        "..",
        "../work",
        "../work/a",
        "../work-evil",
        "a/../../x",
        "a/../b",
        "/",
        str(root),
        f"{root}/x",
        f"{root}-evil/x",
        "a/./b/..",
        "../../etc",
    ]
    for path in paths:
        target = Path(os.path.abspath(root / path))
        assert permissions.inside(str(root), path) == target.is_relative_to(root), path
        assert permissions.inside(f"{root}/", path) == target.is_relative_to(root), path
        assert permissions.inside(f"{root}/x/..", path) == target.is_relative_to(root), path
        assert permissions.inside(f"/{root}", path) == target.is_relative_to(root), path
        assert permissions.inside("/", path) == 1


@witnesses("permissions.reaches")
def test_reaches_equals_the_closure_of_a_matrix() -> None:
    chance = random.Random(9)
    names = "abcde"
    for _ in range(60):
        edges = [chance.sample(names, 2) for _ in range(chance.randrange(7))]
        reach = {(one, other): one == other or [one, other] in edges for one in names for other in names}
        for middle, one, other in product(names, repeat=3):
            reach[one, other] = reach[one, other] or (reach[one, middle] and reach[middle, other])
        for one, other in product(names, repeat=2):
            assert permissions.reaches(one, other, edges) == reach[one, other]


@pytest.mark.parametrize(
    "call",
    [
        lambda: permissions.matches("a", "a", "like"),
        lambda: permissions.decide("Edit", "a", ["allow"]),
        lambda: permissions.decide("Edit", "a", ["permit Edit"]),
        lambda: permissions.decide("Edit", "a", ["allow Edit(a"]),
        lambda: permissions.decide("Edit", "a", hook="maybe"),
        lambda: permissions.decide("Edit", "a", mode="root"),
        lambda: permissions.decide("Edit", "a", order=["rules"]),
        lambda: permissions.decide("Edit", "a", how="like"),
        lambda: permissions.executed(["allow"], "maybe"),
        lambda: permissions.executed(["yes"]),
        lambda: permissions.inside("work", "a"),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
