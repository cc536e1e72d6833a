"""`proofdeck coverage`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from proofdeck.commands.common import command, json_option, print_json, project_at, root_option

if TYPE_CHECKING:
    from proofdeck.foreign.coverage import FileCoverage

SHOWN = 10


@click.command("coverage")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format", "format_", default="", help="Take the files for this format, whatever they look like."
)
@click.option("--all", "everything", is_flag=True, help="List every item that no note answers.")
@json_option
@root_option
@command
def coverage_command(
    files: tuple[Path, ...], format_: str, everything: bool, as_json: bool, root: Path | None
) -> None:
    """Say which items of other people's documents our notes answer, by section.

    A note names the items that it answers in its heading: covers="document/q7".
    """
    from proofdeck.cache import Cache
    from proofdeck.foreign.coverage import coverage
    from proofdeck.sources import read_sources

    project = project_at(root)
    with Cache(project.state).closing() as cache:
        sources = read_sources(project.root, project.card_files(), cache)
    reports = coverage(sources, files, format_)
    if as_json:
        print_json({"files": [report.as_json() for report in reports]})
        return
    for report in reports:
        _tell(report, len(report.missing) if everything else SHOWN)


def _tell(report: FileCoverage, most: int) -> None:
    click.echo(report.file)
    width = min(60, max((len(name) for name in report.sections), default=0))
    click.echo(f"  {'section':{width}}  items  verified  unverified  missing")
    for name, count in [*report.sections.items(), ("all", report.total)]:
        click.echo(
            f"  {name[:width]:{width}}  {count.items:5}  {count.verified:8}  {count.unverified:10}  {count.missing:7}"
        )
    for missing in report.missing[:most]:
        click.echo(f"  missing {missing.item}: {missing.text[:100]}")
        for note, title, alike in missing.near:
            click.echo(f"      near: {note} ({alike} of 100): {title[:80]}")
    if len(report.missing) > most:
        click.echo(f"  and {len(report.missing) - most} more; --all lists them")
    for note, item in report.unknown:
        click.echo(f"  {note} covers {item}, which the document does not have")
