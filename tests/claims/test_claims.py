"""The claims tables: every statement holds, and together they settle what was collected elsewhere."""

from __future__ import annotations

import importlib
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from proofdeck.evidence.code import Code
from proofdeck.evidence.resolve import Fact, judge
from proofdeck.parse.expressions import Call
from proofdeck.parse.model import Check, Note, calls_of
from proofdeck.sources import Source
from proofdeck.statements import read_statements, statement_files

ROOT = Path(__file__).parents[2]
LEFT_OUT = Path(__file__).with_name("left_out.yaml")
"""Known entries of fact collections that no run on a CPU can settle, with the reason."""
COMPUTABLE = {"arithmetic", "formula", "gradient", "property", "simulation"}


@cache
def code() -> Code:
    return Code(ROOT)


def tables() -> list[Source]:
    return [read_statements((file, (ROOT / file).read_bytes(), "")) for file in statement_files(ROOT)]


def statements() -> list[Any]:
    notes = [note for table in tables() for note in table.notes]
    return [pytest.param(note, id=note.id.removeprefix("verifiers/claims/")) for note in notes]


def fact(call: Call) -> Fact:
    module, _, name = call.function.rpartition(".")
    for library in code().closure("verifiers", call.function)[1]:
        pytest.importorskip(library)
    function = getattr(importlib.import_module(f"verifiers.{module}"), name)
    value = function(*call.args, **dict(call.kwargs))
    return Fact(str(call), value, code().functions[call.function])


@pytest.mark.parametrize("note", statements())
def test_statement_holds(note: Note) -> None:
    for check in note.parts[0].answer:
        assert isinstance(check, Check)
        for call in calls_of(check):
            assert call.function in code().functions, f"{note.id}: unknown verifier {call.function}"
        if any(code().functions[call.function].kind == "measurement" for call in calls_of(check)):
            continue  # `measure` takes it, and `verify` judges its record
        judge(check, {str(call): fact(call) for call in calls_of(check)})


def test_tables_are_well_formed() -> None:
    assert tables()
    assert [str(problem) for table in tables() for problem in table.problems] == []


def test_every_entry_of_a_fact_collection_is_settled() -> None:
    """Walk the fact files of the folder PROOFDECK_FACTS; each computable entry is covered or left out."""
    folder = os.environ.get("PROOFDECK_FACTS")
    if not folder:
        pytest.skip("set PROOFDECK_FACTS to a folder of fact files to compare with")
    entries = [entry for path in Path(folder).glob("*.yaml") for entry in yaml.safe_load(path.read_text())]
    wanted = {entry["id"] for entry in entries if entry["kind"] in COMPUTABLE}
    covered = {key for table in tables() for note in table.notes for key in note.covers}
    left_out = set(yaml.safe_load(LEFT_OUT.read_text()) or {}) if LEFT_OUT.exists() else set()
    print(f"{len(wanted & covered)} of {len(wanted)} covered, {len(left_out)} left out", file=sys.stderr)
    assert wanted and not covered & left_out
    assert sorted(wanted - covered - left_out) == []
