"""What every command shares: the project's root, JSON output, and how errors become text and status."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from proofdeck.errors import ContentError, ProofdeckError

if TYPE_CHECKING:
    from proofdeck.evidence.gather import Progress
    from proofdeck.project import Project

F = TypeVar("F", bound=Callable[..., Any])

root_option = click.option(
    "--root", type=click.Path(path_type=Path), help="Project folder (found upwards from here by default)."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)
jobs_option = click.option(
    "-j", "--jobs", type=click.IntRange(1), default=None, help="Worker processes (all cores by default)."
)
locked_option = click.option(
    "--locked", is_flag=True, help="Write to no lock or ledger; fail where one is out of date."
)


def command(function: F) -> F:
    """Turn the library's errors into messages on standard error and an exit status."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ContentError as error:
            problems = error.problems
            if kwargs.get("as_json"):
                print_json({"problems": [problem.as_json() for problem in problems]})
            for problem in problems:
                click.echo(str(problem), err=True)
            click.echo(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}", err=True)
            sys.exit(1)
        except ProofdeckError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)
        except BrokenPipeError:  # whoever reads has enough; click ends quietly
            raise
        except OSError as error:
            click.echo(
                f"error: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""),
                err=True,
            )
            sys.exit(2)

    return run  # type: ignore[return-value]


def project_at(root: Path | None) -> Project:
    from proofdeck.project import Project, find_root

    return Project(find_root(root))


def print_json(data: Any) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def progress_line(as_json: bool) -> Progress | None:
    """Return a reporter that keeps one line of a terminal up to date; None where nobody watches."""
    if as_json or not sys.stderr.isatty():
        return None

    def show(done: int, total: int, call: str) -> None:
        text = f"verifying {done}/{total} {call}"
        click.echo("\r\x1b[K" + (text[:100] if done < total else ""), nl=False, err=True)

    return show


def few(names: Sequence[str], most: int = 6) -> str:
    """Name some, and say how many more there are."""
    told = ", ".join(names[:most])
    return told + (f" and {len(names) - most} more" if len(names) > most else "")


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
