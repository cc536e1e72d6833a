"""The command line: reads arguments, calls one function of the library, prints one result.

Each command lives in a module of `proofdeck.commands` that is imported only when the command runs.
"""

from __future__ import annotations

import importlib

import click

from proofdeck import __version__

COMMANDS = {
    "accept": ("verify", "Take moved values into the evidence lock."),
    "audit": ("audit", "Compute again what documents state, and say what is wrong."),
    "build": ("build", "Verify what changed, draw, render and package decks."),
    "changes": ("changes", "Say what an update brings to learners, and whether it keeps their reviews."),
    "check": ("check", "Read cards and manifests and report every problem, running nothing."),
    "coverage": ("coverage", "Say which items of other people's documents our notes answer."),
    "eval": ("eval", "Run one verifier and print its value."),
    "import": ("foreign", "Make card files of other people's notes."),
    "init": ("init", "Start a deck project in a new folder."),
    "list": ("list", "List notes, or verifiers."),
    "measure": ("measure", "Take measurements on this machine and record them."),
    "preview": ("preview", "Show every card as Anki would, and the evidence behind it, as a web site."),
    "verify": ("verify", "Run verifiers and say which claims are true."),
}


class Lazy(click.Group):
    """A group that imports a command when it is called, and lists commands without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"proofdeck.commands.{COMMANDS[name][0]}")
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(COMMANDS.items())])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from proofdeck.errors import did_you_mean

            if args and (hint := did_you_mean(args[0], COMMANDS)):
                raise click.UsageError(f"{error.message} {hint[0].upper()}{hint[1:]}", ctx) from None
            raise


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="proofdeck")
def main() -> None:
    """Anki decks whose every claim is tested."""
