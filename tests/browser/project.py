"""A deck project with all that a site can show: every note type, kind of evidence and state, and what is wide."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.engine.helpers import FIGURES, REFERENCES, VERIFIERS, Deck, make_deck

WORD = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz" * 2
WIDE_ROWS = '''

@verifier
def wide(width: int = 1) -> list[dict[str, object]]:
    """Many columns of areas.

    Unit: 1
    """
    return [{f"column {n} of the table": area(n, width) for n in range(14)} for width in range(1, 4)]


@verifier
def with_a_name_that_is_longer_than_any_telephone_is_wide_and_then_some(number_of_things: int = 1) -> float:
    """Something.

    Formula: \\\\sum_{i=1}^{n} x_i^2 = \\\\frac{n(n+1)(2n+1)}{6}
    Unit: 1
    """
    return number_of_things * 1.0
'''
SPEEDS = '''"""What a machine does."""

from proofdeck import measurement


@measurement
def taken() -> dict[str, object]:
    """Speed of a copy.

    Unit: B/s
    """
    return {"value": 2e9, "samples": 5, "spread": 0.02}


@measurement
def older() -> dict[str, object]:
    """Speed of another copy.

    Unit: B/s
    """
    return {"value": 3e9, "samples": 5, "spread": 0.02}


@measurement
def never() -> dict[str, object]:
    """Speed that nobody has measured.

    Unit: B/s
    """
    return {"value": 1e9, "samples": 5, "spread": 0.02}
'''

AREAS = """---
deck: Geometry::Areas
tags: [geometry, areas]
---

# What is the area of a rectangle, in $w \\cdot h$? {#rectangle covers="book/1 book/2" tags="basics"}

The quokka rectangle has {value}`shapes.area(2e9, 3) | GB` in all {check}`shapes.symmetric(3)`, says
{cite}`euclid300`. It is {judgement}`worth *knowing* by heart`.

{figure}`plots.line`

## L1: How does it grow with its sides?

With the product $a b$, so a doubled side doubles it {check}`shapes.area(4, 3) = 12 B`:

$$\\int_0^w h \\, dx = w h = \\sum_{i=1}^{n} \\frac{w}{n} h + \\underbrace{0 + 0 + 0 + 0 + 0 + 0 + 0 + 0 + 0}_{\\text{nothing}} + \\sqrt{\\frac{a^2 b^2}{1 + \\varepsilon}} + \\alpha \\beta \\gamma \\delta$$
{check}`shapes.symmetric(4)`

## L2: What if the sides are swapped?

Nothing changes {check}`shapes.symmetric(5)`.

- one item with `code`
  - a nested item with $x_i$
- another

1. first
2. second

## L3: And in code?

A loop shows it {check}`shapes.symmetric(6)`:

```python
def area_of_rectangle(width: float, height: float) -> float:  # a comment that goes on and on, to be wider than a phone
    \"\"\"A text.\"\"\"
    return sum(width * 1.0 for each in range(int(height))) if height > 0 else float("nan") or None
```

## Trap: "It is the sum of the sides."

That is half the perimeter {check}`shapes.area(2, 3) = 6 B`.

# What is a square? {#square}

A rectangle with equal sides {check}`shapes.area(2, 2) = 4 B`.

## L1: What is its area?

Its side squared {check}`shapes.area(3, 3) = 9 B`.

# Which square is a trap? {#square-trap covers="other/1"}

None is {check}`shapes.symmetric(7)`.

## Trap: "The unit square."

No {check}`shapes.symmetric(8)`.
"""
SHAPES = f"""---
deck: Geometry::Shapes of all kinds::Flat
tags: [geometry, wide]
---

# What is the ratio of one to four? {{#ratio}}

A quarter, {{value}}`shapes.ratio(1, 4) | %`, or {{value}}`shapes.sides()["width"] | GB` in the other case.

# Which word is too long? {{#long-word}}

The word {WORD} is, and so is the code `{WORD}` {{check}}`shapes.symmetric(9)`.

{{judgement}}`see <https://example.org/{"a" * 90}>`

# Which table is too wide? {{#wide-table}}

This one is:

{{table}}`shapes.wide`

{{table}}`shapes.rows`

| {" | ".join(f"heading {n}" for n in "abcdefghijkl")} |
|{"---|" * 12}
| {" | ".join(["a cell"] * 12)} |

{{judgement}}`That is so.`

# Which picture is drawn? {{#picture}}

The picture below {{judgement}}`is nice`, and {{check}}`shapes.{"with_a_name_that_is_longer_than_any_telephone_is_wide_and_then_some"}(12) = 12`.

![a triangle](triangle.svg)

# Which gaps are hidden? {{#gaps}}

A triangle has {{cloze}}`1: three | how many` sides, of which {{cloze}}`2: $a + b > c$` holds, and a
{{cloze}}`1: corner` for each {{judgement}}`as everybody knows`.

---

More on the back.
"""
MEASURED = """---
deck: Speed
tags: [speed]
---

# How fast is it? {#taken}

It copies {value}`speeds.taken() | GB/s`.

# How fast was it? {#older}

It copied {value}`speeds.older() | GB/s`.

# How fast will it be? {#never}

It will copy {value}`speeds.never() | GB/s`.
"""
IMPORTED = """---
deck: Imported
tags: [unverified]
---

# What did somebody say? {#said}

That it takes 80 GB, <script>alert(1)</script> they said.

## L1: And then?

They went on to 90 GB.
"""
DRAFT = """---
deck: Geometry::Areas
---

# What is not finished? {#unfinished tags="draft"}

This is {judgement}`not finished`.
"""
LOOSE = """---
deck: Loose
---

# Which manifest holds this? {#loose}

None does {judgement}`as yet`.
"""
NAMESAKE = """---
deck: Geometry of numbers
---

# Whose name begins like another's? {#namesake}

This deck's {judgement}`does`.
"""
WRONG = """---
deck: Geometry::Areas
tags: [geometry]
---

# What does not hold? {#wrong}

One is two {check}`shapes.wrong()`, and the area is 7 {check}`shapes.area(2, 3) = 7 B`.

# What is bare? {#bare}

It takes 77 GB {judgement}`or so`.
"""
BROKEN = """---
deck: Geometry::Areas
---

# What cannot be read? {#broken}

A {value}`shapes.area(open("x"))` and a {nothing}`role`.
"""
CLAIMS = """- claim: A rectangle of two by three has an area of six bytes, which is a long sentence for so small a fact.
  said: The area is five
  because: five is the sum of the sides
  check: shapes.area(2, 3) = 6 B
  covers: [book/3]
- claim: A quarter is a quarter.
  check:
    - shapes.ratio(1, 4) = 0.25
    - shapes.symmetric(11)
- claim: One is two.
  check: shapes.wrong()
"""
TRIANGLE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 50" width="900" height="500"><path d="M5 45h80L45 5z"/></svg>'

GOOD = {
    "cards/geometry/areas.md": AREAS,
    "cards/geometry/shapes.md": SHAPES,
    "cards/geometry/triangle.svg": TRIANGLE,
    "cards/speed.md": MEASURED,
    "cards/more/imported.md": IMPORTED,
    "cards/draft.md": DRAFT,
    "cards/more/namesake.md": NAMESAKE,
    "cards/references.yaml": REFERENCES,
    "decks/t.yaml": "title: Shapes\ndescription: What *flat* things are like.\nunder: Shapes\ncards: ['cards/geometry/*.md', cards/speed.md, cards/draft.md]\n",
    "decks/u.yaml": "title: From elsewhere\ncards: ['cards/more/*.md']\n",
    "verifiers/shapes.py": VERIFIERS + WIDE_ROWS,
    "verifiers/speeds.py": SPEEDS,
    "figures/plots.py": FIGURES,
}


def write_project(root: Path) -> Deck:
    """Write the project, with a history of its values, a stale measurement, and faults of all kinds."""
    deck = make_deck(root, GOOD)
    deck.ok("measure", "speeds.taken", "speeds.older", "--device", "cpu")
    deck.ok("verify")
    _git(root, "init", "--quiet")
    commit(root, "Areas in bytes")
    deck.edit("verifiers/shapes.py", "return a / b", "return a / b * 2 / 2")
    deck.edit("verifiers/shapes.py", "return width * height\n", "return width * height + 0 * width\n")
    deck.edit("verifiers/shapes.py", '"width": 2_000_000_000', '"width": 3_000_000_000')
    deck.edit("verifiers/speeds.py", '"value": 3e9', '"value": 4e9')
    deck.run("accept")
    commit(root, "A wider side")
    deck.write("cards/loose.md", LOOSE)
    deck.write("cards/more/wrong.md", WRONG)
    deck.write("cards/more/broken.md", BROKEN)
    deck.write("verifiers/claims/areas.yaml", CLAIMS)
    return deck


def commit(root: Path, message: str) -> None:
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", "--message", message)


def _git(root: Path, *arguments: str) -> None:
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (
            ("NAME", "Somebody"),
            ("EMAIL", "somebody@example.org"),
            ("DATE", "2026-01-02T03:04:05Z"),
        )
    }
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, env=os.environ | who | alone
    )
