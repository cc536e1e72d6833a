"""`proofdeck eval`."""

from __future__ import annotations

from pathlib import Path

import click

from proofdeck.commands.common import command, json_option, print_json, project_at, root_option


@click.command("eval")
@click.argument("expression")
@json_option
@root_option
@command
def eval_command(expression: str, as_json: bool, root: Path | None) -> None:
    """Run one verifier and print its value and unit.

    EXPRESSION is what stands in a {value} or {check}, such as 'kv_cache.nbytes("llama-2-7b", 4096) | GiB'.
    """
    from proofdeck.evaluate import evaluate

    result = evaluate(project_at(root), expression)
    if as_json:
        print_json(
            {"expression": result.expression, "value": result.value, "unit": result.unit, "text": result.text}
        )
    else:
        click.echo(result.text)
