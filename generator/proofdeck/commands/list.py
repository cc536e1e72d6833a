"""`proofdeck list`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from proofdeck.commands.common import command, json_option, plural, print_json, project_at, root_option


@click.command("list")
@click.option("--verifiers", is_flag=True, help="List verifiers instead of notes.")
@json_option
@root_option
@command
def list_command(verifiers: bool, as_json: bool, root: Path | None) -> None:
    """List notes, or verifiers with unit, source, witness and the notes that use them."""
    from proofdeck.listing import list_notes, list_verifiers

    project = project_at(root)
    if verifiers:
        rows = list_verifiers(project)
        print_json({"verifiers": rows}) if as_json else _verifiers(rows)
    else:
        rows = list_notes(project)
        print_json({"notes": rows}) if as_json else _notes(rows)


def _notes(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        evidence = ", ".join(f"{count} {kind}" for kind, count in row["evidence"].items() if count)
        click.echo(f"{row['id']}  {row['type']}  {row['deck']}  {row['file']}:{row['line']}  {evidence}")
    click.echo(plural(len(rows), "note"))


def _verifiers(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        witness = f"{len(row['witness'])} witnessed" if row["witness"] else "no witness"
        users = f"{plural(len(row['cards']), 'note')}, {plural(len(row['statements']), 'statement')}"
        source = f"  ({row['source']})" if row["source"] else ""
        click.echo(f"{row['name']}  [{row['unit']}]  {row['kind']}  {witness}  {users}{source}")
    click.echo(plural(len(rows), "verifier"))
