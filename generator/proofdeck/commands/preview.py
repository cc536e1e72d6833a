"""`proofdeck preview`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proofdeck.commands.common import (
    command,
    few,
    jobs_option,
    json_option,
    plural,
    print_json,
    progress_line,
    project_at,
    root_option,
)

if TYPE_CHECKING:
    from proofdeck.preview.site import SiteReport
    from proofdeck.project import Project


@click.command("preview")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the site (.proofdeck/site by default).",
)
@click.option("--serve", is_flag=True, help="Serve it on this machine, rebuild on save, reload open pages.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8417,
    show_default=True,
    help="Where --serve serves (0: any free port).",
)
@jobs_option
@json_option
@root_option
@command
def preview_command(
    out: Path | None, serve: bool, port: int, jobs: int | None, as_json: bool, root: Path | None
) -> None:
    """Show every card as Anki would, and the evidence behind it, as a web site.

    The site needs no server and no network: open its index.html, or publish the folder as it is. Drafts are
    in it, marked. Exit status 1 if a claim or a card is wrong; the site is written all the same and shows where.
    """
    from proofdeck.preview.site import write_site

    if serve and as_json:
        raise click.UsageError("--serve runs until it is ended and prints no JSON document")
    project = project_at(root)
    folder = out or project.state / "site"

    def build() -> SiteReport:
        return write_site(project, folder, jobs=jobs or 0, live=serve, progress=progress_line(as_json))

    if serve:
        _serve(project, folder, build, port)
        return
    report = build()
    if as_json:
        print_json(report.as_json())
    else:
        _tell(report, folder)
    if report.problems:
        sys.exit(1)


def _tell(report: SiteReport, folder: Path) -> None:
    for problem in report.problems:
        click.echo(str(problem), err=True)
    if report.problems:
        click.echo(plural(len(report.problems), "problem"), err=True)
    changed = len(report.written) + len(report.removed)
    news = f"{plural(changed, 'file')} changed" if changed else "nothing changed"
    click.echo(
        f"{folder / 'index.html'}  {plural(report.pages, 'page')}, {plural(report.notes, 'note')}, "
        f"{plural(report.cards, 'card')}, {plural(report.media, 'picture')}  ({news})"
    )
    if report.held_back:
        click.echo(f"{plural(len(report.held_back), 'note')} not measured yet: {few(report.held_back)}")
    click.echo(f"{report.seconds:.2f} s")


def _serve(project: Project, folder: Path, build: Callable[[], SiteReport], port: int) -> None:
    from proofdeck.preview.serve import Preview

    with _interrupted():
        Preview(project.root, folder, build, port, click.echo).run()


@contextmanager
def _interrupted() -> Iterator[None]:
    """End quietly on Ctrl-C and on a request to terminate, also where a shell has told us to ignore Ctrl-C."""
    former = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
