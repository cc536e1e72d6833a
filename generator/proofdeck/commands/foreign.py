"""`proofdeck import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from proofdeck.commands.common import command, json_option, plural, print_json, root_option

if TYPE_CHECKING:
    from proofdeck.foreign.report import FileReport


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "out", required=True, type=click.Path(path_type=Path),
    help="Folder for the card files: below a project's cards/, or one that becomes a project.",
)  # fmt: skip
@click.option(
    "--format", "format_", default="", help="Take the files for this format, whatever they look like."
)
@json_option
@root_option
@command
def import_command(
    files: tuple[Path, ...], out: Path, format_: str, as_json: bool, root: Path | None
) -> None:
    """Make card files of other people's notes, and tell what was damaged or left out.

    Imported cards carry the tag `unverified` and say so. An import that is run again follows the source and
    leaves alone what you edited.
    """
    from proofdeck.foreign.importing import import_documents

    reports = import_documents(files, out, format_, root)
    if as_json:
        print_json({"files": [report.as_json() for report in reports]})
        return
    for report in reports:
        _tell(report)


def _tell(report: FileReport) -> None:
    tally = report.tally
    click.echo(f"{report.file} ({report.format})")
    counts = [
        (tally.questions, "question"), (tally.answers, "answer"), (tally.levels.total(), "level"), (tally.traps, "trap"),
        (tally.weak_strong, "weak-strong pair"), (tally.follow_ups, "follow-up"),
        (tally.rapid_fire, "rapid-fire question"), (tally.glossary, "term"), (tally.key_questions, "key question"),
        (tally.insights, "insight"), (tally.code_blocks, "code block"), (tally.tables, "table"),
        (tally.references, "reference"),
    ]  # fmt: skip
    click.echo("  found     " + (", ".join(plural(n, noun) for n, noun in counts if n) or "nothing"))
    lost = [
        (tally.truncated_questions, "question cut off"), (tally.truncated_answers, "answer cut off"),
        (tally.empty_answers, "question without an answer"),
    ]  # fmt: skip
    told = [_cut(n, noun) for n, noun in lost if n]
    told += [
        f"{n:,} × {what}" for what, n in sorted(tally.damaged.items()) if what.startswith(("lost", "out"))
    ]
    if told:
        click.echo("  damaged   " + ", ".join(told))
    if tally.dropped:
        reasons = ", ".join(f"{n:,} {why}" for why, n in tally.dropped.most_common())
        click.echo(f"  no card   {reasons}")
    if report.repairs:
        click.echo("  repaired  " + ", ".join(f"{n:,} {what}" for what, n in sorted(report.repairs.items())))
    if report.wrong:
        click.echo(f"  audit     {plural(report.wrong, 'statement')} found wrong; their cards say so")
    if report.duplicates:
        click.echo(f"  alike     {plural(len(report.duplicates), 'near-duplicate')}, for example")
        for later, earlier in report.duplicates[:2]:
            click.echo(f"            {later[:110]}\n            ≈ {earlier[:110]}")
    changes = report.changes
    done = [
        (len(changes.new), "new"), (len(changes.updated), "updated"), (changes.unchanged, "unchanged"),
        (len(changes.gone), "gone from the source, removed"),
    ]  # fmt: skip
    click.echo(
        f"  written   {plural(report.notes, 'note')}, {plural(report.drafts, 'draft')} among them: "
        + (", ".join(f"{n:,} {what}" for n, what in done if n) or "nothing new")
    )
    for names, why in (
        (changes.kept, "edited by you, so left as they are although the source has changed"),
        (changes.orphaned, "edited by you, so left although the source has them no more"),
        (changes.deleted, "deleted by you, so not written again"),
    ):
        if names:
            click.echo(f"  left      {', '.join(names[:6])}{' …' if len(names) > 6 else ''}: {why}")
    click.echo(f"  more in   {report.folder}/import-report.txt")


def _cut(count: int, noun: str) -> str:
    first, _, rest = noun.partition(" ")
    return f"{plural(count, first)} {rest}"
