"""`proofdeck measure`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proofdeck.commands.common import command, json_option, plural, print_json, project_at, root_option

if TYPE_CHECKING:
    from proofdeck.measuring import Reading

WIDTHS = (26, 14, 9, 9, 9)
"""Columns of the table: entry, value, spread, fraction of the roof, error."""


@click.command("measure")
@click.argument("select", nargs=-1)
@click.option(
    "--device",
    type=click.Choice(["cuda", "cpu"]),
    default="cuda",
    show_default=True,
    help="What to measure on.",
)
@click.option(
    "--missing",
    is_flag=True,
    help="Only what cards wait for and this machine has not measured yet, or with older code.",
)
@json_option
@root_option
@command
def measure_command(
    select: tuple[str, ...], device: str, missing: bool, as_json: bool, root: Path | None
) -> None:
    """Take measurements on this machine and write them into the evidence lock.

    SELECT names modules, measurements or whole calls; every measurement that a card or a claims table shows by
    default. Nothing is ever measured unless this command is run. Each record is written as it comes: what is
    interrupted goes on with --missing.
    """
    from proofdeck.measuring import measure

    done = 0

    def tell(reading: Reading, total: int) -> None:
        nonlocal done
        done += 1
        if as_json:
            return
        if done == 1:
            click.echo(_line("", ("", "value", "spread", "of roof", "error")))
        _tell(reading, f"[{done}/{total}]")

    readings = measure(project_at(root), select, device=device, missing=missing, on_reading=tell)
    failed = sum(reading.result is None for reading in readings)
    if as_json:
        print_json({"readings": [reading.as_json() for reading in readings]})
    else:
        _summary(readings, failed)
    if failed:
        sys.exit(1)


def _line(indent: str, cells: tuple[str, ...]) -> str:
    first, *rest = (
        cell.ljust(w) if n == 0 else cell.rjust(w)
        for n, (cell, w) in enumerate(zip(cells, WIDTHS, strict=True))
    )
    return (indent + first + " ".join(rest)).rstrip()


def _tell(reading: Reading, count: str) -> None:
    from proofdeck.evidence.records import skipped_of
    from proofdeck.report.measurements import entries_of

    if reading.result is None:
        click.echo(f"{count} {reading.call}: {reading.failed}", err=True)
        return
    click.echo(f"{count} {reading.call}  {reading.seconds:.1f} s")
    for entry in entries_of(reading.result):
        click.echo(_line("  ", (entry.name, entry.value, entry.spread, entry.roof, entry.error)))
    for name, why in skipped_of(dict(reading.result.record)).items():
        click.echo(f"  {name}: skipped" + (f", {why}" if why else ""))


def _summary(readings: list[Reading], failed: int) -> None:
    taken = [reading.result for reading in readings if reading.result]
    where = f" on {taken[0].machine}" if taken else ""
    seconds = sum(reading.seconds for reading in readings)
    click.echo(f"{plural(len(taken), 'measurement')} recorded{where}, {failed} failed, {seconds:.0f} s")
    for kind, noun in (("spread", "widest spread"), ("repeat", "widest difference between passes")):
        shares = [(dict(result.record).get(kind), result.call) for result in taken]
        known = [(share, call) for share, call in shares if isinstance(share, int | float)]
        if known:
            share, call = max(known)
            click.echo(f"{noun}: {share * 100:.1f}%, {call}")
