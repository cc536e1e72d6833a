"""`proofdeck build`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from proofdeck.commands.common import (
    command,
    few,
    jobs_option,
    json_option,
    locked_option,
    plural,
    print_json,
    progress_line,
    root_option,
)


@click.command("build")
@click.argument("decks", nargs=-1)
@click.option("--legacy", is_flag=True, help="Write the container that clients before Anki 2.1.50 read.")
@click.option(
    "--allow-stale",
    is_flag=True,
    help="Build with measurements that are older than their code; the cards say so.",
)
@click.option(
    "--drafts", is_flag=True, help="Package notes tagged `draft` too; their cards say what is missing."
)
@locked_option
@jobs_option
@json_option
@root_option
@command
def build_command(
    decks: tuple[str, ...],
    legacy: bool,
    allow_stale: bool,
    drafts: bool,
    locked: bool,
    jobs: int | None,
    as_json: bool,
    root: Path | None,
) -> None:
    """Verify what changed, draw, render and package DECKS (all by default).

    Packages land in decks/build/. Exit status 1 if a claim or a card is wrong.
    """
    begin = time.perf_counter()
    from proofdeck.stamp import unchanged

    options = {"locked": locked, "legacy": legacy, "allow_stale": allow_stale, "drafts": drafts}
    place = _root(root)
    report = unchanged(place, decks, options)
    if report is not None:
        for deck in report["decks"]:
            deck.update(new=0, changed=0, unchanged=deck["notes"], retired=0)
        report.update(seconds=round(time.perf_counter() - begin, 3), ran=0, accepted=0)
    else:
        from proofdeck.build import build
        from proofdeck.project import Project

        report = build(
            Project(place), decks, jobs=jobs or 0, progress=progress_line(as_json), **options
        ).as_json()
    if as_json:
        print_json(report)
    else:
        _tell(report)


def _root(root: Path | None) -> Path:
    """Find the project without importing what an idle build does not need."""
    start = (root or Path.cwd()).resolve()
    for folder in (start,) if root else (start, *start.parents):
        if (folder / "cards").is_dir() and (folder / "decks").is_dir():
            return folder
    from proofdeck.project import find_root

    return find_root(root)


def _tell(report: dict[str, Any]) -> None:
    for deck in report["decks"]:
        changes = ", ".join(f"{deck[kind]} {kind}" for kind in ("new", "changed", "retired") if deck[kind])
        click.echo(
            f"{deck['path']}  {plural(deck['notes'], 'note')}, {plural(deck['cards'], 'card')}, "
            f"{plural(deck['media'], 'picture')}, {deck['bytes'] / 1000:,.0f} kB  ({changes or 'nothing changed'})"
        )
    if report["accepted"]:
        click.echo(f"{plural(report['accepted'], 'new result')} taken into verifiers/evidence.lock")
    if report["held_back"]:
        click.echo(
            f"{plural(len(report['held_back']), 'note')} held back, not measured yet: {few(report['held_back'])}"
        )
    for figure in report["undrawn"]:
        click.echo(f"figure {figure}")
    if report["drafts"]:
        click.echo(f"{plural(report['drafts'], 'draft')} left out; --drafts packages them")
    click.echo(f"{report['seconds']:.2f} s")
