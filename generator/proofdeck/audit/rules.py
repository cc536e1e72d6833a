"""Rules of known quantities, `verifiers/quantities.yaml`: how a statement is recognised, and what computes it.

- quantity: key/value cache of a named model
  about: KV[- ]cache                       what the sentence must speak of
  unless: per layer                        and must not
  call: kv_cache.nbytes({model}, tokens={tokens}, dtype={dtype})
  unit: B                                  of the stated value
  takes:
    model: {names: [llama-2-7b, mistral-7b]}              written with spaces, hyphens or neither
    tokens: {number: tokens|context}                      the one number beside such a word
    dtype: {words: {fp16: FP16|BF16, int8: INT8}, else: [fp16, fp32]}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from proofdeck.errors import ContentError, Problem
from proofdeck.parse.expressions import ExpressionError, parse_operand

FILE = "verifiers/quantities.yaml"
KEYS = frozenset(
    "quantity about unless call over times unit stated scale equals but sense tolerance takes".split()
)
TAKE_KEYS = frozenset("names words number match unit many earlier else".split())
_JOINT = r"(?:\s?(?:of|=|is|are|:|≈|takes?|needs?|costs?|adds?|at|to|only|about|around|roughly|approximately))*\s*[~$≈±(\"']*$"
"""What may stand between a noun and its number, `context of 4096`, `seq=4096`, `HNSW takes about 150 GB`."""
_FIGURES = re.compile(r"\$?\d[\d,]*(?:\.\d+)?[KMBT]?")


@dataclass(frozen=True, slots=True)
class Noun:
    """A word that says what a number counts."""

    after: re.Pattern[str]
    before: re.Pattern[str]

    def stands_by(self, text: str, start: int, end: int) -> bool:
        """Say whether the noun stands behind a number, or before it with a short joint between."""
        return self.stands_behind(text, start, end) or bool(
            self.before.search(text[max(0, start - 60) : start])
        )

    def stands_behind(self, text: str, start: int, end: int) -> bool:
        """Say whether the noun stands behind a number, or is its unit: `5 tokens`, `72 hours`, `$3 per hour`."""
        figures = _FIGURES.match(text, start)
        ends = (end, figures.end()) if figures else (end,)
        return any(self.after.match(text[each : each + 40].lstrip(" -–")) for each in ends)


@dataclass(frozen=True, slots=True)
class Take:
    """How one argument of a call is found in a sentence."""

    names: tuple[tuple[Any, re.Pattern[str]], ...] = ()
    number: Noun | None = None
    match: re.Pattern[str] | None = None
    unit: str | None = None
    many: int = 1
    earlier: bool = False
    default: tuple[Any, ...] = ()
    """What holds where the sentence says nothing: any of these."""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity that the project can compute."""

    name: str
    about: re.Pattern[str]
    unless: re.Pattern[str] | None
    calls: tuple[str, ...]
    over: str
    """A call whose result divides that of the first."""
    times: str
    """An argument that multiplies it."""
    unit: str
    stated: Noun | None
    words: tuple[tuple[float, re.Pattern[str]], ...]
    scale: float
    """What a bare stated number is multiplied with; 0 where it must have its unit."""
    equals: float | None
    but: Noun | None
    sense: str
    """`most` or `least` where what comes out is a bound of what can be."""
    tolerance: float
    takes: Mapping[str, Take]


def read_quantities(root: Path, problems: list[Problem]) -> list[Quantity]:
    """Read a project's rules, adding a problem for each that is wrong."""
    path = root / FILE
    if not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        rows = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        problems.append(Problem(FILE, mark.line + 1 if mark else 0, 0, f"not YAML: {error}"))
        return []
    if not isinstance(rows, list) or not isinstance(node, yaml.SequenceNode):
        problems.append(Problem(FILE, 1, 1, "not a list of rules", "see docs/importing.md"))
        return []
    found = []
    for row, place in zip(rows, node.value, strict=True):
        mark = place.start_mark
        try:
            found.append(_quantity(row))
        except ContentError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, IndexError, re.error) as error:
            told = f"no `{error.args[0]}:`" if isinstance(error, KeyError) else str(error)
            hint = "see docs/importing.md for what a rule says"
            problems.append(
                Problem(FILE, mark.line + 1, mark.column + 1, f"rule cannot be read: {told}", hint)
            )
    return found


def _quantity(row: Any) -> Quantity:
    if not isinstance(row, dict):
        raise TypeError("a rule is a mapping")
    _known("rule", row, KEYS)
    takes = {str(name): _take(how) for name, how in row.get("takes", {}).items()}
    calls = tuple(_texts(row["call"]))
    blank = _blank(takes)
    for call in (*calls, *_texts(row.get("over", []))):
        parse_operand(_filled(call, blank))
    times = str(row.get("times", ""))
    if times and times not in blank:
        raise ValueError(f"`times: {times}` names no argument")
    stated = row.get("stated")
    words = stated if isinstance(stated, dict) else {}
    about = str(row["about"])
    return Quantity(
        name=str(row["quantity"]),
        about=re.compile(about, re.I),
        unless=re.compile(row["unless"], re.I) if "unless" in row else None,
        calls=calls,
        over=str(row.get("over", "")),
        times=times,
        unit=str(row.get("unit", "")),
        stated=_noun(stated) if isinstance(stated, str) else None,
        words=tuple((float(value), _word(pattern)) for value, pattern in words.items()),
        scale=float(row.get("scale", 0)),
        equals=float(row["equals"]) if "equals" in row else None,
        but=_noun(row["but"]) if "but" in row else None,
        sense=_one_of("sense", row.get("sense", ""), ("", "most", "least")),
        tolerance=float(row.get("tolerance", 0.15)),
        takes=takes,
    )


def _known(what: str, row: Iterable[str], keys: frozenset[str]) -> None:
    unknown = sorted(set(map(str, row)) - keys)
    if unknown:
        raise ValueError(f"a {what} has no `{unknown[0]}:`")


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"`{what}: {value}` is none of {', '.join(filter(None, allowed))}")
    return value


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _blank(takes: Mapping[str, Take]) -> dict[str, str]:
    """Return a placeholder for every argument that a call can name."""
    names: list[str] = []
    for name, take in takes.items():
        groups = list(take.match.groupindex) if take.match else []
        names += groups or ([f"{name}_{n + 1}" for n in range(take.many)] if take.many > 1 else [name])
    return dict.fromkeys(names, "1")


def _filled(call: str, arguments: Mapping[str, str]) -> str:
    try:
        return call.format(**arguments)
    except KeyError as error:
        raise ExpressionError(f"`{call}` names an argument that nothing takes: {error.args[0]}") from None


def _take(how: Any) -> Take:
    _known("take", how, TAKE_KEYS)
    names = [(each, _spelled(each)) for each in how.get("names", ())]
    names += [(word, _word(pattern)) for word, pattern in how.get("words", {}).items()]
    names.sort(key=lambda pair: -len(pair[1].pattern))
    default = how.get("else")
    take = Take(
        names=tuple(names),
        number=_noun(how["number"]) if "number" in how else None,
        match=re.compile(how["match"], re.I) if "match" in how else None,
        unit=str(how["unit"]) if "unit" in how else None,
        many=int(how.get("many", 1)),
        earlier=bool(how.get("earlier", False)),
        default=tuple(default) if isinstance(default, list) else (default,),
        optional="else" in how,
    )
    if not (take.names or take.number or take.match or take.unit is not None):
        raise ValueError("an argument needs `names:`, `words:`, `number:`, `match:` or `unit:`")
    if take.match and not take.match.groups:
        raise ValueError(f"`match: {how['match']}` has no group")
    return take


def _noun(pattern: str) -> Noun:
    return Noun(re.compile(rf"(?:{pattern})(?!\w)", re.I), re.compile(rf"(?<!\w)(?:{pattern}){_JOINT}", re.I))


def _word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.I)


def _spelled(name: str) -> re.Pattern[str]:
    """Return a pattern for a name however its words are joined: `llama-2-7b` is Llama 2 7B and LLaMA-2-7B."""
    words = [re.escape(word) for word in re.split(r"[-_ ]", name)]
    return re.compile(r"(?<![\w.-])" + r"[\s_-]*".join(words) + r"(?![\w.]\w)(?!\w)", re.I)
