"""Running one expression outside any card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from proofdeck.errors import ContentError, Problem, UsageError, did_you_mean
from proofdeck.evidence.code import Code
from proofdeck.evidence.resolve import Fact, Wrong, judge, pick, value_text
from proofdeck.evidence.runner import Task, run
from proofdeck.parse.expressions import Call, ExpressionError
from proofdeck.parse.model import Check, Place, Value, calls_of
from proofdeck.parse.roles import READERS
from proofdeck.project import Project
from proofdeck.units import FormatError


@dataclass(frozen=True, slots=True)
class Evaluated:
    expression: str
    value: Any
    unit: str
    text: str


def evaluate(project: Project, expression: str) -> Evaluated:
    """Run the verifiers of a `{value}` or `{check}` text and return what it gives.

    Raises UsageError for text that is no expression, ContentError for a verifier that fails.
    """
    claim = _read(expression)
    code = Code(project.root)
    calls = calls_of(claim)
    for call in calls:
        if call.function not in code.functions:
            hint = did_you_mean(call.function, code.functions)
            raise UsageError(f"unknown verifier `{call.function}`" + (f"; {hint}" if hint else ""))
        if code.functions[call.function].kind == "measurement":
            raise UsageError(
                f"`{call.function}` is a measurement: `proofdeck measure '{call.made}'` takes it"
            )
    facts: dict[str, Fact] = {}
    functions = {str(call): code.functions[call.function] for call in calls}
    tasks = [
        Task(
            "verifiers",
            c,
            functions[str(c)].option("timeout", 30.0),
            int(functions[str(c)].option("memory", 4 * 2**30)),
        )
        for c in calls
    ]
    for outcome in run(project.root, tasks):
        function = functions[str(outcome.task.call)]
        if outcome.failed:
            raise ContentError(
                [Problem(function.file, function.line, 1, f"`{outcome.task.call}`: {outcome.failed}")]
            )
        facts[str(outcome.task.call)] = Fact(str(outcome.task.call), outcome.value, function)
    first = facts[str(calls[0])]
    if isinstance(claim, Value) and first.function.is_check:
        claim = Check(claim.place, claim.text, calls[0])
    try:
        if isinstance(claim, Check) and (first.function.is_check or not isinstance(claim.test, Call)):
            return Evaluated(
                expression, True, "check", f"true{': ' + found if (found := judge(claim, facts)) else ''}"
            )
        if isinstance(claim, Value) and isinstance(first.value, list | dict) and claim.operand.key is None:
            return Evaluated(
                expression, first.value, _units(first), json.dumps(first.value, ensure_ascii=False, indent=2)
            )
        assert isinstance(claim, Value)
        value, unit = pick(claim.operand, facts)
        return Evaluated(expression, value, unit, value_text(claim, facts))
    except Wrong as error:
        raise ContentError(
            [Problem(first.function.file, first.function.line, 1, str(error), error.hint)]
        ) from None


def _units(fact: Fact) -> str:
    return ", ".join(f"{key}={unit}" if key else unit for key, unit in fact.function.units)


def _read(expression: str) -> Value | Check:
    place = Place("expression", 1, 1)
    try:
        value = READERS["value"](expression, place, lambda *_: ())
        assert isinstance(value, Value)
        return value
    except (ExpressionError, FormatError) as first:
        try:
            check = READERS["check"](expression, place, lambda *_: ())
            assert isinstance(check, Check)
            return check
        except (ExpressionError, FormatError):
            hint = getattr(first, "hint", "")
            raise UsageError(f"{first}" + (f"; {hint}" if hint else "")) from None
