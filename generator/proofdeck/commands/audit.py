"""`proofdeck audit`."""

from __future__ import annotations

from pathlib import Path

import click

from proofdeck.commands.common import command, json_option, plural, print_json, root_option


@click.command("audit")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="List what is right too.")
@json_option
@root_option
@command
def audit_command(files: tuple[Path, ...], everything: bool, as_json: bool, root: Path | None) -> None:
    """Find statements in FILES that a machine can test, and compute them again.

    Calculations, ratios and growth are read from the text; inside a project its verifiers compute known
    quantities too, and what it knows as popular errors is found. Exit status 0 whatever the verdicts: the
    documents are other people's.
    """
    from proofdeck.audit.auditing import Audit, Auditor, passages_of
    from proofdeck.errors import UsageError
    from proofdeck.project import Project, find_root

    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise UsageError(f"no such file: {', '.join(missing)}")
    project: Project | None = None
    try:
        project = Project(find_root(root))
    except UsageError:
        if root is not None:
            raise
    audit = Audit(Auditor(project).audit(passages_of(files)))
    if as_json:
        print_json(audit.as_json())
        return
    for finding in audit.findings:
        if everything or finding.verdict in ("wrong", "imprecise"):
            click.echo(f"{finding.file}:{finding.line}: {finding.verdict}: {finding.text}")
            told = f"stated {finding.stated}" + (f", computed {finding.computed}" if finding.computed else "")
            click.echo(f"    {told} ({finding.rule}{': ' + finding.check if finding.check else ''})")
    counts = audit.counts
    click.echo(
        f"{plural(len(audit.findings), 'statement')}: "
        + ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("right", "imprecise", "wrong", "unknown"))
    )
    if project is None:
        click.echo("not in a project: known quantities were not looked for")
