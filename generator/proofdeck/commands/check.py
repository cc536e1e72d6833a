"""`proofdeck check`."""

from __future__ import annotations

from pathlib import Path

import click

from proofdeck.commands.common import command, few, json_option, plural, print_json, project_at, root_option


@click.command("check")
@json_option
@root_option
@command
def check_command(as_json: bool, root: Path | None) -> None:
    """Read cards, manifests and references and report every problem, running nothing."""
    from proofdeck.cache import Cache
    from proofdeck.inspect import inspect

    project = project_at(root)
    with Cache(project.state).closing() as cache:
        found = inspect(project, cache)
    found.require_clean()
    notes = sum(len(source.heads) for source in found.sources)
    idle = found.in_no_deck()
    if as_json:
        print_json({"problems": [], "files": len(found.sources), "notes": notes, "in_no_deck": idle})
    else:
        click.echo(f"{plural(notes, 'note')} in {plural(len(found.sources), 'file')}: no problem found")
        if idle:
            click.echo(f"in no deck: {few(idle)}")
