"""TeX in a card's HTML to MathML, which browsers draw themselves: no script, no font, no network.

Anki draws the same TeX with MathJax. What cannot be converted stays readable as TeX.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from xml.etree import ElementTree

# code is no math, as MathJax has it
_PIECES = re.compile(
    r"<(code|pre|script|style)\b.*?</\1>|\\\((?P<inline>.*?)\\\)|\\\[(?P<display>.*?)\\\]", re.S
)
_MATHML = "http://www.w3.org/1998/Math/MathML"
ElementTree.register_namespace("", _MATHML)


def typeset(page: str) -> str:
    r"""Return HTML with `\(…\)` and `\[…\]` as MathML; the TeX stays inside as an annotation."""
    return _PIECES.sub(_one, page) if "\\(" in page or "\\[" in page else page


def _one(found: re.Match[str]) -> str:
    if found["inline"] is not None:
        return mathml(found["inline"], display=False)
    if found["display"] is not None:
        return mathml(found["display"], display=True)
    return found[0]


@lru_cache(maxsize=1 << 15)
def mathml(tex: str, display: bool) -> str:
    """Return one formula, given as HTML text, as MathML, or as code where it cannot be converted."""
    from latex2mathml.converter import convert

    source = html.unescape(tex).strip()
    # it knows the numbered environments by these names alone
    known = re.sub(r"\\(begin|end)\{(aligned|gathered|split)\}", r"\\\1{align*}", source)
    try:
        root = ElementTree.fromstring(convert(known, display="block" if display else "inline"))
        if any(name in "".join(root.itertext()) for name in ("\\", "$")):
            raise ValueError(source)
    except Exception:  # whatever it stumbled over: the reader gets what the author wrote
        return f'<code class="site-tex">{tex}</code>'
    _align(root)
    return _annotated(root, source)


def _align(root: ElementTree.Element) -> None:
    """Say by style how columns stand: browsers no longer read the attributes."""
    for table in root.iter(f"{{{_MATHML}}}mtable"):
        joined = table.get("columnspacing", "").startswith("0em")  # the sides of an equation, not of a matrix
        for cell in table.iter(f"{{{_MATHML}}}mtd"):
            side = cell.attrib.pop("columnalign", "")
            if side:
                cell.set("style", f"text-align: {side}" + (f"; padding-{side}: 0" if joined else ""))


def _annotated(root: ElementTree.Element, source: str) -> str:
    inside = list(root)
    for child in inside:
        root.remove(child)
    semantics = ElementTree.SubElement(root, f"{{{_MATHML}}}semantics")
    row = ElementTree.SubElement(semantics, f"{{{_MATHML}}}mrow")
    row.extend(inside)
    note = ElementTree.SubElement(semantics, f"{{{_MATHML}}}annotation", encoding="application/x-tex")
    note.text = source
    return ElementTree.tostring(root, encoding="unicode").replace(f' xmlns="{_MATHML}"', "")
