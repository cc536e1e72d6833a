"""`proofdeck init`."""

from __future__ import annotations

from pathlib import Path

import click

from proofdeck.commands.common import command, json_option, plural, print_json


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--title", default="", help="Name of the deck in Anki (from the folder's name by default).")
@json_option
@command
def init_command(folder: Path, title: str, as_json: bool) -> None:
    """Start a deck project in FOLDER: a card, its verifiers, a figure, a manifest and a workflow."""
    from proofdeck.initialise import initialise

    written = initialise(folder, title)
    if as_json:
        print_json({"files": [path.as_posix() for path in written]})
        return
    click.echo(f"{plural(len(written), 'file')} in {folder}; next: cd {folder} && proofdeck build")
