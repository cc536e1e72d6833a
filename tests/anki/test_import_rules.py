"""Every rule I-1 to I-35 of Anki's importer has a test that is named after it.

    I-1 … I-8     test_import_notes.py
    I-9 … I-13    test_import_fields.py
    I-14 … I-23   test_import_notetypes.py
    I-24 … I-30   test_import_cards.py
    I-31 … I-35   test_import_media.py
    containers    test_import_formats.py

What of a rule has no test here, and why:

    I-9    merging a cloze note type with a standard one: our note types keep their ids and their kind
    I-16   templates added or moved with "merge": we release no such package; the frozen lists are tested instead
    I-22   what Anki makes of `"` in the names of note types and templates: none of ours holds one, which is tested
    I-23   the sync itself: it needs a server; that no import marks the schema as modified is tested
    I-29   presets that a package brings: ours brings none beyond the one that every collection has
    I-32   a file that is there under an underscore name: ours have no such names, which is tested
    I-34   a slash in the media list: the builder's refusal is tested, Anki's is not
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

RULES = range(1, 36)


def named_tests() -> set[int]:
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_import_*.py")]
    return {int(number) for text in texts for number in re.findall(r"^def test_i_(\d\d)_", text, re.M)}


@pytest.mark.parametrize("number", RULES, ids=[f"I-{number}" for number in RULES])
def test_the_rule_has_a_test_of_its_name(number: int) -> None:
    assert number in named_tests()


def test_no_test_names_a_rule_that_does_not_exist() -> None:
    assert named_tests() <= set(RULES)
