"""Figures: drawn once for their code, the same bytes on every machine, named by their content."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from proofdeck.draw.figures import media_name
from proofdeck.evidence.runner import Task, run
from proofdeck.parse.expressions import parse_call

from .helpers import FIGURES, Deck, card
from .test_build import notes_in


@pytest.fixture
def bare(deck_at: Callable[..., Deck]) -> Deck:
    """A project whose figure is not drawn yet."""
    return deck_at({"figures/plots.py": FIGURES}, cards="{value}`shapes.ratio()`\n\n{figure}`plots.line`")


@pytest.fixture
def deck(bare: Deck, drawings: dict[str, bytes]) -> Deck:
    """The same project after another machine has drawn the figure."""
    for path, data in drawings.items():
        bare.write(path, data)
    return bare


def drawn(deck: Deck) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((deck.root / "figures/drawn").iterdir())}


def test_a_drawing_has_a_lower_case_name_that_ends_in_a_hash_of_its_content(bare: Deck) -> None:
    bare.ok("build")
    [(name, data)] = drawn(bare).items()
    assert re.fullmatch(r"plots-line-[0-9a-f]{12}\.svg", name)
    assert name == media_name("plots.line", data, ".svg")
    assert data.startswith(b"<svg")
    assert b"Date" not in data and b"<metadata" not in data


@pytest.mark.parametrize(
    ("stem", "suffix", "name"),
    [
        ("Plots.Line", ".SVG", "plots-line"),
        ("Größe 日本", ".png", "gr-e"),
        ("con", ".png", "con"),
        ("../../etc/passwd", ".svg", "etc-passwd"),
        ("x" * 200, ".svg", "x" * 60),
        ("🙂", ".svg", ""),
    ],
)
def test_media_names_hold_nothing_that_anki_would_change(stem: str, suffix: str, name: str) -> None:
    from proofdeck.package.apkg import check_media_name

    made = media_name(stem, b"data", suffix)
    assert made.startswith(f"{name}-")
    assert made.endswith(suffix.lower())
    assert check_media_name(made) == ""
    assert media_name(stem, b"other", suffix) != made


def test_two_draws_give_the_same_bytes_and_figures_do_not_leak_into_each_other(deck: Deck) -> None:
    deck.write(
        "figures/plots.py",
        FIGURES
        + '''

@figure
def bold():
    """Changes everything it can."""
    import matplotlib

    matplotlib.rcParams.update({"lines.linewidth": 30, "axes.linewidth": 9, "xtick.major.size": 20})
    return line()
''',
    )
    tasks = [Task("figures", parse_call(name), 60) for name in ("plots.bold()", "plots.line()")]
    loud, after = run(deck.root, tasks, 1)
    [alone] = run(deck.root, tasks[1:], 1)
    assert not loud.failed and not after.failed and not alone.failed
    assert after.value == alone.value
    assert loud.value != alone.value


def test_a_drawing_is_drawn_once_and_again_when_what_it_uses_changes(deck: Deck) -> None:
    deck.ok("build")
    before = drawn(deck)
    lock = deck.read("figures/drawn.lock")
    times = {path: path.stat().st_mtime_ns for path in (deck.root / "figures/drawn").iterdir()}
    # a neighbour of what the figure uses
    deck.edit("verifiers/shapes.py", "return a / b", "return a / b + 0")
    deck.ok("accept")
    deck.ok("build")
    assert times == {path: path.stat().st_mtime_ns for path in (deck.root / "figures/drawn").iterdir()}
    assert deck.read("figures/drawn.lock") == lock
    # the verifier itself
    deck.edit("verifiers/shapes.py", "return width * height", "return width * height + 1")
    deck.ok("build")
    after = drawn(deck)
    assert len(after) == 1
    assert set(after) != set(before)
    assert deck.read("figures/drawn.lock") != lock


@pytest.mark.parametrize("damage", [b"<svg/>", None])
def test_a_damaged_or_missing_drawing_is_drawn_again(damage: bytes | None, deck: Deck) -> None:
    deck.ok("build")
    before = deck.snapshot()
    [path] = (deck.root / "figures/drawn").iterdir()
    path.unlink() if damage is None else path.write_bytes(damage)
    assert deck.run("build", "--locked").status == 1
    deck.ok("build")
    assert deck.snapshot() == before


def test_a_drawing_that_no_card_uses_is_forgotten(deck: Deck) -> None:
    deck.ok("build")
    deck.write("cards/a.md", card("{judgement}`x`"))
    deck.ok("build")
    assert drawn(deck) == {}
    assert "plots" not in deck.read("figures/drawn.lock")


def test_figures_that_fail_are_told_at_their_place(deck_at: Callable[..., Deck]) -> None:
    source = (
        FIGURES
        + '''

@figure
def broken():
    """Broken."""
    return [][0]


@figure
def text():
    """No figure."""
    return "a line"


@figure(timeout=0.5)
def slow():
    """Slow."""
    import time
    time.sleep(60)
'''
    )
    body = "{judgement}`x`\n\n{figure}`plots.broken`\n\n{figure}`plots.text`\n\n{figure}`plots.slow`\n\n{figure}`plots.line(3)`"
    deck = deck_at({"figures/plots.py": source}, cards=body)
    ran = deck.run("build")
    assert ran.status == 1
    assert [re.sub(r" \(\w+.py:\d+\)", "", line) for line in ran.err.splitlines()[:4]] == [
        "cards/a.md:9:1: the figure `plots.broken()` cannot be drawn: IndexError: list index out of range",
        "cards/a.md:11:1: the figure `plots.text()` cannot be drawn: TypeError: returned str: return a matplotlib.figure.Figure",
        "cards/a.md:13:1: the figure `plots.slow()` cannot be drawn: it ran for more than 0.5 s",
        "cards/a.md:15:1: the figure `plots.line(3)` cannot be drawn: TypeError: line() takes 0 positional arguments but 1 was given",
    ]
    assert not (deck.root / "decks/build").exists()


@pytest.mark.parametrize(
    "line", ["nonsense", '{"figure": "plots.line()"}', '{"figure": "a", "code": "b", "media": "../../x.svg"}']
)
def test_a_broken_list_of_drawings_is_an_error(line: str, deck: Deck) -> None:
    deck.write("figures/drawn.lock", line + "\n")
    ran = deck.run("build")
    assert (ran.status, ran.err.splitlines()[0]) == (
        1,
        "figures/drawn.lock:1: not a line of a list of drawings",
    )


def test_the_alternative_text_is_the_first_line_of_the_docstring(deck_at: Callable[..., Deck]) -> None:
    source = FIGURES.replace("A line up to the area.", 'A "line" <up> to {{c1::x}}.')
    deck = deck_at({"figures/plots.py": source}, cards="{judgement}`x`\n\n{figure}`plots.line`")
    deck.ok("build")
    answer = notes_in(deck.root / "decks/build/t.apkg")["q"]["Answer"]
    [name] = drawn(deck)
    assert f'src="{name}"' in answer
    assert "A &quot;line&quot; &lt;up&gt; to &#123;{c1::x&#125;}." in answer


MEASURED = '''
from matplotlib.figure import Figure

from proofdeck import figure
from verifiers import speeds


@figure
def waits():
    """What nobody has measured."""
    chart = Figure()
    chart.subplots().plot([0, speeds.copy()])
    return chart
'''
SPEEDS = '''
from proofdeck import measurement


@measurement
def copy():
    """Speed of a copy.

    Unit: B/s
    """
    return {"value": 1.0}
'''


def test_a_figure_that_waits_for_a_measurement_keeps_no_other_from_being_listed(bare: Deck) -> None:
    bare.write("figures/measured.py", MEASURED)
    bare.write("verifiers/speeds.py", SPEEDS)
    bare.write("cards/b.md", card("{value}`shapes.ratio()`\n\n{figure}`measured.waits`", name="waits"))
    bare.ok("build")
    assert [name.rsplit("-", 1)[0] for name in drawn(bare)] == ["plots-line"]
    listed = (bare.root / "figures/drawn.lock").read_text()
    assert "plots.line()" in listed and "measured.waits" not in listed
    # the same picture by other code
    bare.edit("figures/plots.py", "figsize=(2, 1.5)", "figsize=(2.0, 1.5)")
    bare.ok("build")
    assert (bare.root / "figures/drawn.lock").read_text() != listed
    bare.ok("build", "--locked")
