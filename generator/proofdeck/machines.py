"""Whose records a note shows: the machine that it names, put into every call of a measurement.

A card file (`machine:` in its front matter), a note (`{#id machine=…}`) and a claim (`… @ machine`) may name
one; the nearest counts. Cards are read without knowing the code, so calls of measurements, and of figures that
show some, are told apart from others only here.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from dataclasses import replace

from proofdeck.cache import digest_of
from proofdeck.errors import Problem
from proofdeck.evidence.code import Code
from proofdeck.parse.expressions import Call, Comparison, Operand
from proofdeck.parse.model import (
    Body,
    Check,
    Claim,
    Cloze,
    Figure,
    Image,
    Judgement,
    Note,
    Table,
    Value,
    calls_of,
    claims_of,
    needs_of_notes,
)
from proofdeck.sources import Source

Put = Callable[[Call], Call]
"""Puts a machine into a call."""


def on_machines(source: Source, code: Code) -> Source:
    """Return `source` with the machines that its notes name put into their claims."""
    if not source.on_machines:
        return source
    notes = tuple(_note(note, code) if note.machine else note for note in source.notes)
    needs = needs_of_notes(notes)
    return replace(
        source, digest=digest_of(source.digest, needs), needs=needs, pickled=pickle.dumps(notes, protocol=5)
    )


def machine_problems(sources: Iterable[Source], code: Code) -> Iterable[Problem]:
    """Yield every claim that asks for one machine's record of what is the same on all of them."""
    for source in sources:
        if any(" @ " in key for _, key in source.needs):
            for note in source.notes:
                for claim in claims_of(note):
                    yield from _misplaced(claim, code)


def _misplaced(claim: Claim | Image, code: Code) -> Iterable[Problem]:
    figure = isinstance(claim, Figure)
    table = code.figures if figure else code.functions
    for call in [claim.call] if isinstance(claim, Figure) else calls_of(claim):
        if call.machine and call.function in table and not _measured(call, code, figure):
            message = f"`{call.function}` measures nothing: it gives the same on every machine"
            yield claim.place.problem(message, f"write `{call.made}`")


def _measured(call: Call, code: Code, figure: bool) -> bool:
    if figure:
        return call.function in code.figures and bool(code.closure("figures", call.function)[2])
    function = code.functions.get(call.function)
    return function is not None and function.kind == "measurement"


def _note(note: Note, code: Code) -> Note:
    def put(figure: bool) -> Put:
        def one(call: Call) -> Call:
            named = call.machine or not _measured(call, code, figure)
            return call if named else replace(call, machine=note.machine)

        return one

    def body(segments: Body) -> Body:
        return tuple(s if isinstance(s, str) else claim(s) for s in segments)

    def claim(one: Claim | Image) -> Claim | Image:
        match one:
            case Value():
                return replace(one, operand=_operand(one.operand, put(False)))
            case Check():
                return replace(one, test=_test(one.test, put(False)))
            case Table():
                return replace(one, call=put(False)(one.call))
            case Figure():
                return replace(one, call=put(True)(one.call))
            case Judgement() | Cloze():
                return replace(one, body=body(one.body))
        return one

    parts = tuple(replace(p, question=body(p.question), answer=body(p.answer)) for p in note.parts)
    return replace(note, parts=parts, extra=body(note.extra))


def _test(test: Call | Comparison, put: Put) -> Call | Comparison:
    if isinstance(test, Call):
        return put(test)
    return replace(test, left=_operand(test.left, put), right=_operand(test.right, put))


def _operand(operand: Operand, put: Put) -> Operand:
    return replace(operand, call=put(operand.call)) if operand.call else operand
