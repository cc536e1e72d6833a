"""`proofdeck changes`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proofdeck.commands.common import command, few, json_option, plural, print_json, project_at, root_option

if TYPE_CHECKING:
    from proofdeck.changes import Changes

MOST = 10
"""Lines of a list before it is cut."""
LONGEST = 100
"""Letters of a title, or of one value."""

Row = dict[str, Any]


@click.command("changes")
@click.option(
    "--since",
    metavar="REV|FILE",
    help="What to compare with: a git tag or revision, or an earlier history.lock (a file of that name goes first; "
    "an evidence.lock is looked for beside it). Default: the latest tag, or the tag before where the latest is this "
    "very commit; without tags the first commit that has a ledger.",
)
@click.option("--all", "everything", is_flag=True, help="Cut no list.")
@json_option
@root_option
@command
def changes_command(since: str | None, everything: bool, as_json: bool, root: Path | None) -> None:
    """Say what an update brings to learners, and whether it keeps their reviews.

    Compares the ledger, the evidence lock and the cards with an earlier state of the project. The ledger knows
    what has been built: build first.
    """
    from proofdeck.changes import changes

    report = changes(project_at(root), since)
    if as_json:
        print_json(report.as_json())
    else:
        for line in _told(report, 10**9 if everything else MOST):
            click.echo(line)


def _told(report: Changes, most: int) -> Iterator[str]:
    """Yield the report's lines: counts, safety, then each list by deck."""
    yield f"Since {report.since}: {_counts(report)}."
    if report.safe:
        yield "Safe to update: import the new package over the old one; every card keeps its reviews."
    else:
        yield "Progress is at risk:"
        yield from _cut(
            [f"- {row['note']}: {row['why']}".replace("- : ", "- ") for row in report.at_risk], most
        )
    only = [row for row in report.changed if row["what"] == "evidence"]
    others = [row for row in report.changed if row["what"] != "evidence"]
    yield from _by_deck("New notes", report.new, lambda row: plural(row["cards"], "card"), most)
    yield from _by_deck("Changed notes", others, lambda row: "", most)
    yield from _by_deck("Same text, other evidence or looks", only, lambda row: "", most)
    yield from _by_deck("New and lost cards of notes that stay", report.cards, _cards, most)
    kept = "Retired notes: they stay in your collection until you delete them"
    yield from _by_deck(kept, report.retired, lambda row: f"Id:{row['note']}", most)
    stay = "Moved notes: cards that you have stay in their deck, new ones come into the new one"
    yield from _by_deck(stay, report.moved, _moved, most)
    yield from _by_deck("Notes under a new id", report.renamed, lambda row: f"was {row['formerly']}", most)
    yield from _values(report, most)
    if report.types:
        names = ", ".join(row["name"] for row in report.types)
        yield f"\nNew style or templates: {names}. If you changed yours, yours stay."
    if report.unbuilt:
        waiting = f"{plural(len(report.unbuilt), 'note')} not compared: "
        yield f"\n{waiting}{few(report.unbuilt)} (not built yet, or waiting for a measurement)."


def _counts(report: Changes) -> str:
    """Tell how much changed, leaving out what did not."""
    cards = sum(row["cards"] for row in report.new) + sum(len(row["added"]) for row in report.cards)
    told = [
        (len(report.new), "new note", ""), (len(report.changed), "note", " changed"), (len(report.retired), "note", " retired"),
        (len(report.moved), "note", " moved"), (len(report.renamed), "note", " under a new id"), (cards, "new card", ""),
        (sum(len(row["gone"]) for row in report.cards), "card", " gone"),
        (sum(bool(row["notes"]) for row in report.values), "value", " moved on cards"),
    ]  # fmt: skip
    return ", ".join(plural(count, noun) + more for count, noun, more in told if count) or "no note changed"


def _by_deck(title: str, rows: Iterable[Row], more: Callable[[Row], str], most: int) -> Iterator[str]:
    """Yield a list of notes under their decks, cut after `most` notes."""
    rows = list(rows)
    if rows:
        yield f"\n{title}"
    deck = ""
    for row in rows[:most]:
        if row["deck"] != deck:
            deck = row["deck"]
            yield f"  {deck}"
        told = more(row)
        yield f"  - {_short(row['title'] or row['note'])}" + (f"  ({told})" if told else "")
    yield from _more(len(rows) - most)


def _values(report: Changes, most: int) -> Iterator[str]:
    """Yield the values that moved on cards, and how many moved elsewhere."""
    shown = [row for row in report.values if row["notes"]]
    if report.values:
        yield "\nValues that moved"
    yield from _cut([f"- {row['call']}: {_from_to(row)}  ({few(row['notes'], 3)})" for row in shown], most)
    if others := len(report.values) - len(shown):
        yield f"- {plural(others, 'value')} moved that {'stand' if others > 1 else 'stands'} on no card"


def _from_to(row: Row) -> str:
    from proofdeck.report.values import from_to

    return " → ".join(from_to(row["before"], row["unit_before"], row["after"], row["unit"]))


def _cards(row: Row) -> str:
    told = [f"{', '.join(row[key])} {word}" for key, word in (("added", "new"), ("gone", "gone")) if row[key]]
    return "; ".join(told)


def _moved(row: Row) -> str:
    """Tell from where a note came: a deck, a package or both."""
    told = []
    if row["deck_before"] and row["deck_before"] != row["deck"]:
        told.append(f"from {_apart(row['deck_before'], row['deck'])}")
    if row["packages_before"] != row["packages"]:
        told.append(f"package {', '.join(row['packages_before'])} → {', '.join(row['packages'])}")
    return "; ".join(told)


def _apart(deck: str, other: str) -> str:
    """Return a deck's name without the levels that it shares with another.

    >>> _apart("Top::A::B", "Top::C")
    '…::A::B'
    """
    mine, theirs = deck.split("::"), other.split("::")
    shared = 0
    while shared < min(len(mine) - 1, len(theirs)) and mine[shared] == theirs[shared]:
        shared += 1
    return "::".join(["…", *mine[shared:]] if shared else mine)


def _cut(lines: list[str], most: int) -> Iterator[str]:
    yield from lines[:most]
    yield from _more(len(lines) - most)


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"  … and {count:,} more (--all shows them)"


def _short(text: str, most: int = LONGEST) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
