"""Independent ways to the numbers of verifiers/json_text.py."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import json_text

TEXTS = [
    '{"a": 1}',
    "log line",
    "",
    "[1, 2",
    "null",
    "NaN",
    "-Infinity",
    "'a'",
    '{"a": 1,}',
    "01",
    '"é"',
    " 3 ",
    "tru",
]


@witnesses("json_text.valid")
@pytest.mark.parametrize("text", TEXTS)
def test_valid_agrees_with_another_parser(text: str) -> None:
    core = pytest.importorskip("pydantic_core")
    try:
        core.from_json(text, allow_inf_nan=False)
        expected = 1
    except ValueError:
        expected = 0
    assert json_text.valid(text) == expected


def test_numbers_of_any_length_are_valid() -> None:
    assert json_text.valid("7" * 5000) == 1 == json_text.valid("-" + "7" * 5000 + ".5e300")
    assert json_text.valid("0" + "7" * 5000) == 0


@witnesses("json_text.parsable_prefixes")
@pytest.mark.parametrize(
    ("text", "expected"),
    [("12", 2), ('{"a": 12}', 1), ("1.5", 2), ("[]", 1), ("tru", 0), ('"ab"', 1), ("null ", 2), ("", 0)],
)
def test_parsable_prefixes_counted_by_another_parser(text: str, expected: int) -> None:
    core = pytest.importorskip("pydantic_core")
    count = 0
    for end in range(1, len(text) + 1):
        try:
            core.from_json(text[:end])
            count += 1
        except ValueError:
            pass
    assert json_text.parsable_prefixes(text) == count == expected


TOOL = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "lines": {"type": "integer", "minimum": 1, "maximum": 9},
        "mode": {"enum": ["read", "write", None]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "range": {"type": "object", "properties": {"from": {"type": "number"}}, "required": ["from"]},
    },
    "required": ["path"],
    "additionalProperties": False,
}


@witnesses("json_text.schema_errors")
def test_schema_errors_agree_with_a_typed_model() -> None:
    pydantic = pytest.importorskip("pydantic")
    from typing import Annotated, Literal

    strict = pydantic.ConfigDict(strict=True, extra="forbid")
    part = pydantic.create_model(
        "Part", __config__=pydantic.ConfigDict(strict=True), **{"from": (float, ...)}
    )
    model = pydantic.create_model(
        "Tool",
        __config__=strict,
        path=(str, ...),
        lines=(Annotated[int, pydantic.Field(ge=1, le=9)], 1),
        mode=(Literal["read", "write", None], None),
        tags=(list[str], []),
        range=(part, {"from": 0.0}),
    )
    chance = random.Random(4)
    values: list[Any] = [
        "a",
        0,
        1,
        5,
        9,
        10,
        1.5,
        True,
        None,
        [],
        ["x"],
        ["x", 3],
        [1, 2],
        {},
        {"from": 1},
        {"from": "x"},
        "read",
        {"from": 2, "to": 3},
    ]
    for _ in range(1500):
        keys = chance.sample([*TOOL["properties"], "typo", "other"], chance.randint(0, 4))  # type: ignore[misc]
        value = {key: chance.choice(values) for key in keys}
        try:
            model.model_validate(value)
            expected = 0
        except pydantic.ValidationError as error:
            expected = error.error_count()
        assert json_text.schema_errors(json.dumps(TOOL), json.dumps(value)) == expected, value


@pytest.mark.parametrize(
    ("schema", "value", "errors"),
    [
        ({"type": ["string", "null"]}, None, 0),
        ({"type": ["string", "null"]}, 1, 1),
        ({"type": "integer"}, 1.0, 0),
        ({"type": "integer"}, 1.5, 1),
        ({"type": "number"}, True, 1),
        ({"type": "integer"}, True, 1),
        ({"type": "boolean"}, True, 0),
        ({"type": "boolean"}, 1, 1),
        ({"type": "number"}, 1.5, 0),
        ({"enum": [True]}, 1, 1),
        ({"enum": [1]}, True, 1),
        ({"enum": [0, False]}, False, 0),
        ({"enum": [[1]]}, [True], 1),
        ({"enum": [[1, 2]]}, [1], 1),
        ({"enum": [[1, 2]]}, [1.0, 2], 0),
        ({"enum": [[]]}, {}, 1),
        ({"enum": [{"a": [0]}]}, {"a": [False]}, 1),
        ({"enum": [{"a": [0], "b": 1}]}, {"a": [0]}, 1),
        ({"enum": [{"a": 0}]}, {"a": 0, "b": 1}, 1),
        ({"enum": [{"a": {"b": None}}]}, {"a": {"b": None}}, 0),
        ({"minimum": 2}, 2, 0),
        ({"minimum": 2}, 1.9, 1),
        ({"maximum": 2}, 2, 0),
        ({"maximum": 2}, 2.1, 1),
        ({"minimum": 2}, "a", 0),
        ({"minimum": 2}, True, 0),
        ({"minimum": 3, "maximum": 1}, 2, 2),
        ({"items": {"type": "string"}}, {"a": 1}, 0),
        ({"items": {"items": {"type": "null"}}}, [[1], [None, 2]], 2),
        ({"required": ["a", "b"]}, {}, 2),
        ({"required": ["a"]}, [], 0),
        ({"properties": {"a": {"type": "string"}}}, {"a": 1, "b": 2}, 1),
        ({"additionalProperties": False}, {"a": 1, "b": 2}, 2),
        ({"additionalProperties": {"type": "string"}}, {"a": 1, "b": "x"}, 1),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}, {"a": 1}, 0),
        ({"properties": {"a": {}}, "additionalProperties": True}, {"b": 1}, 0),
        ({}, {"a": [1]}, 0),
    ],
)
def test_schema_errors_judged_by_the_standard(schema: Any, value: Any, errors: int) -> None:
    assert json_text.schema_errors(json.dumps(schema), json.dumps(value)) == errors


@witnesses("json_text.every_beginning_can_be_closed")
def test_closed_beginnings_are_what_a_lenient_parser_reads() -> None:
    core = pytest.importorskip("pydantic_core")
    chance = random.Random(5)

    def value(depth: int) -> Any:
        kind = chance.randrange(7 if depth else 5)
        if kind == 5:
            return [value(depth - 1) for _ in range(chance.randrange(4))]
        if kind == 6:
            return {chance.choice('ab"\\{:'): value(depth - 1) for _ in range(chance.randrange(4))}
        return chance.choice([None, True, False, -3, 2.5, 1e30, "", "x]", 'q"', "\\", "a,b:{"])

    for _ in range(60):
        text = json.dumps([value(3)])
        for end in range(1, len(text) + 1):
            closed = json_text.complete_json(text[:end])
            lenient = core.from_json(text[:end], allow_partial=True)
            got = json.loads(closed)
            if text[end - 1] in '[]{}",':
                assert got == lenient, (text[:end], closed)
    assert json_text.complete_json("") == "null" == json_text.complete_json("tr")
    assert json_text.complete_json('{"a": 1, "b"') == '{"a": 1}'
    assert json_text.complete_json('{"a": {"b": [2, "x"') == '{"a": {"b": [2, "x"]}}'
    assert json_text.complete_json("-1.5e+3") == "-1.5e+3"
    assert json_text.every_beginning_can_be_closed()["texts"] == 2


def test_broken_completions_are_noticed() -> None:
    texts = ['{"a": [1, "x"]}']
    assert json_text.confirm_completion(json_text.complete_json, texts) == len(texts[0])
    with pytest.raises(AssertionError, match="becomes"):
        json_text.confirm_completion(lambda prefix: prefix, texts)
    with pytest.raises(AssertionError, match="changed"):
        json_text.confirm_completion(lambda prefix: "null", texts)


@pytest.mark.parametrize(
    "call",
    [
        lambda: json_text.schema_errors('{"type": "text"}', "1"),
        lambda: json_text.schema_errors('{"type": ["string", "text"]}', '"a"'),
        lambda: json_text.schema_errors('{"pattern": "a"}', "1"),
        lambda: json_text.schema_errors('{"properties": {"a": {"pattern": "x"}}}', "{}"),
        lambda: json_text.schema_errors('{"items": {"pattern": "x"}}', "[]"),
        lambda: json_text.schema_errors('{"additionalProperties": {"pattern": "x"}}', "{}"),
        lambda: json_text.schema_errors("false", "1"),
        lambda: json_text.schema_errors('{"properties": {"a": false}}', '{"a": 1}'),
        lambda: json_text.schema_errors('{"items": false}', "[1]"),
        lambda: json_text.schema_errors('{"additionalProperties": null}', "{}"),
        lambda: json_text.schema_errors("{", "1"),
        lambda: json_text.schema_errors("{}", "{"),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
