"""`proofdeck verify` and `proofdeck accept`."""

from __future__ import annotations

import sys
from pathlib import Path

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
    project_at,
    root_option,
)

FEW = 6
"""So many measurements that wait are told as calls, more as the functions that are called."""


@click.command("verify")
@click.argument("select", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Run everything this machine can run, and compare.")
@click.option(
    "--durations",
    type=click.IntRange(0),
    default=None,
    metavar="N",
    help="Show the N slowest verifiers (0: all).",
)
@locked_option
@jobs_option
@json_option
@root_option
@command
def verify_command(
    select: tuple[str, ...],
    everything: bool,
    durations: int | None,
    locked: bool,
    jobs: int | None,
    as_json: bool,
    root: Path | None,
) -> None:
    """Run verifiers and say which claims are true.

    SELECT names notes, card files, folders or verifiers; all claims by default. Results whose code has not
    changed are not run again, unless --all asks for it. Exit status 1 if a claim is false.
    """
    from proofdeck.verify import verify

    report = verify(
        project_at(root),
        select,
        everything=everything,
        locked=locked,
        jobs=jobs or 0,
        progress=progress_line(as_json),
    )
    if as_json:
        print_json(report.as_json())
    else:
        for failure in report.failed:
            click.echo(str(failure.problem()), err=True)
        for call in report.stale:
            click.echo(f"stale: {call}", err=True)
        if report.missing:
            calls = report.missing
            names = (
                calls if len(calls) <= FEW else list(dict.fromkeys(call.partition("(")[0] for call in calls))
            )
            click.echo(f"{plural(len(calls), 'measurement')} not taken yet: {few(names)}")
        counts = ", ".join(f"{count} {kind}" for kind, count in report.as_json()["claims"].items() if count)
        told = f"{plural(sum(report.claims.values()), 'claim')} ({counts}): "
        if report.statements:
            told = told.removesuffix(": ") + f" and {plural(report.statements, 'statement')}: "
        told += f"{plural(len(report.failed), 'failure')}, {report.ran} run, {report.cached} known"
        click.echo(told + (f", {report.new} new" if report.new else "") + f", {report.seconds:.2f} s")
        if durations is not None:
            for seconds, call in report.durations[: durations or None]:
                click.echo(f"{seconds * 1000:9.1f} ms  {call}")
    if report.failed:
        sys.exit(1)


@click.command("accept")
@click.argument("select", nargs=-1)
@jobs_option
@json_option
@root_option
@command
def accept_command(select: tuple[str, ...], jobs: int | None, as_json: bool, root: Path | None) -> None:
    """Take moved values into the evidence lock.

    A value has moved where its verifier's code changed, or where the same code gives another value. SELECT
    names notes, card files, folders or verifiers; everything that moved by default.
    """
    from proofdeck.verify import accept

    moved, failed = accept(project_at(root), select, jobs=jobs or 0, progress=progress_line(as_json))
    if as_json:
        rows = [{"call": call, "old": old, "new": new} for call, old, new in moved]
        print_json({"accepted": rows, "failed": [failure.as_json() for failure in failed]})
    else:
        for call, old, new in moved:
            click.echo(f"{call}: {old} → {new}" if old != new else f"{call}: {new}, by changed code")
        for failure in failed:
            click.echo(str(failure.problem()), err=True)
        click.echo(f"{plural(len(moved), 'result')} accepted")
    if failed:
        sys.exit(1)
