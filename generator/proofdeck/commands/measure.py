"""`proofdeck measure`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from proofdeck.commands.common import command, json_option, plural, print_json, project_at, root_option


@click.command("measure")
@click.argument("select", nargs=-1)
@click.option(
    "--device",
    type=click.Choice(["cuda", "cpu"]),
    default="cuda",
    show_default=True,
    help="What to measure on.",
)
@json_option
@root_option
@command
def measure_command(select: tuple[str, ...], device: str, as_json: bool, root: Path | None) -> None:
    """Take measurements on this machine and write them into the evidence lock.

    SELECT names measurements or whole calls; every measurement that a card shows by default. Nothing is
    ever measured unless this command is run.
    """
    from proofdeck.measuring import Reading, measure

    def tell(reading: Reading) -> None:
        if not as_json:
            click.echo(str(reading), err=reading.result is None)

    readings = measure(project_at(root), select, device=device, on_reading=tell)
    failed = [reading for reading in readings if reading.result is None]
    if as_json:
        print_json({"readings": [reading.as_json() for reading in readings]})
    else:
        click.echo(f"{plural(len(readings) - len(failed), 'measurement')} recorded, {len(failed)} failed")
    if failed:
        sys.exit(1)
