"""What the documents promise is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import proofdeck
from proofdeck import units
from proofdeck.cli import COMMANDS, main
from proofdeck.parse.roles import READERS

ROOT = Path(__file__).parents[2]
DOCS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "verifiers").glob("*.md")]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help_and_stands_in_the_readme(command: str) -> None:
    told = CliRunner().invoke(main, [command, "--help"])
    assert told.exit_code == 0
    assert "--json" in told.output
    assert len(told.output.split("Options:")[0].split()) > 8
    assert f"`proofdeck {command}" in (ROOT / "README.md").read_text()


def test_the_documents_name_no_command_that_is_not_there() -> None:
    for path in DOCS:
        for command in re.findall(r"(?:`|^\$ )proofdeck ([a-z]+)", path.read_text(), re.M):
            assert command in COMMANDS, f"{path.name}: proofdeck {command}"


def test_every_role_and_unit_is_documented() -> None:
    text = (ROOT / "docs" / "card-format.md").read_text()
    assert all(f"`{{{role}}}`" in text for role in READERS)
    for base in units.BASE_UNITS:
        assert re.search(rf"`[^`]*{re.escape(base)}[^`]*`", text) or base == "nat", base


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCS:
        prose = re.sub(r"`[^`]*`", "", path.read_text())
        for target in re.findall(r"\]\(([^)#]+)\)", prose):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_content_may_import_four_names_and_the_version() -> None:
    assert sorted(proofdeck.__all__) == ["__version__", "figure", "measurement", "verifier", "witnesses"]
    assert all(hasattr(proofdeck, name) for name in proofdeck.__all__)


def test_the_changelog_knows_the_version_or_is_about_to() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## Unreleased" in text or f"## {proofdeck.__version__}" in text


def test_the_index_of_the_library_lists_every_module_in_its_own_words() -> None:
    text = (ROOT / "verifiers" / "README.md").read_text()
    rows = dict(re.findall(r"^\| \[\w+\]\((\w+)\.py\) \| (.*) \|$", text, re.M))
    modules = {path.stem: path for path in (ROOT / "verifiers").glob("*.py")}
    assert sorted(rows) == sorted(modules)
    for name, told in rows.items():
        doc = ast.get_docstring(ast.parse(modules[name].read_text())) or ""
        assert doc.split("\n")[0] == told, name
