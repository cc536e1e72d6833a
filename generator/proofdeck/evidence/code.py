"""Which code stands behind a call: a static reading of the modules under `verifiers/` and `figures/`.

The hash of a function covers its own source and, transitively, every local definition that it uses:
helpers, constants, classes, in its module and in the local modules it imports. Nothing else: editing one
function leaves the results of its neighbours accepted. Docstrings do not count, except for the unit.

Static reading sees names. A module-level statement that is no plain definition (a loop, a registry being
filled) always counts, and so does a whole module whose object is handed around or that looks up its own
names at run time (`globals`, `getattr` on a module). A file that a function opens is not seen.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofdeck.record import Record

KINDS = ("verifier", "measurement", "figure")
_DYNAMIC = {"globals", "locals", "vars", "eval", "exec", "__import__", "importlib"}
_FIELD = re.compile(r"^[ \t]*(Unit|Source|Witness):[ \t]*(.+)$", re.M)


@dataclass(frozen=True, slots=True)
class Definition(Record):
    """A module-level definition or statement."""

    text: str
    """Its source without docstrings."""
    names: frozenset[str]
    """Names it uses, dotted as far as they are written (`models.get`)."""
    imports: tuple[tuple[str, str, str], ...] = ()
    """Imports inside it: (alias, module, attribute or the empty string)."""


@dataclass(frozen=True, slots=True)
class Function(Record):
    """A function that `@verifier`, `@measurement` or `@figure` marks."""

    name: str
    """Dotted, below its folder: `kv_cache.nbytes`."""
    kind: str
    file: str
    line: int
    source: str
    """Full text, decorators included, for the Proof panel."""
    doc: str
    """First line of the docstring."""
    units: tuple[tuple[str, str], ...]
    """Unit by key or column; a scalar's unit stands under the empty key."""
    references: tuple[str, ...]
    """What the docstring names as its source."""
    options: tuple[tuple[str, float], ...] = ()
    """Literal options of the decorator: timeout, memory, tolerance."""
    unread: tuple[str, ...] = ()
    """Options whose value is no number that can be read."""

    @property
    def is_check(self) -> bool:
        return ("", "check") in self.units

    def option(self, name: str, default: float) -> float:
        return dict(self.options).get(name, default)

    def unit(self, key: str | int | None = None) -> str:
        units = dict(self.units)
        return units.get(str(key) if key is not None else "", units.get("", "1"))


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file, read but not imported."""

    name: str
    definitions: dict[str, Definition] = field(default_factory=dict)
    imports: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """What each imported name may stand for: (module, attribute or the empty string)."""
    loose: tuple[Definition, ...] = ()
    stars: tuple[str, ...] = ()
    functions: tuple[Function, ...] = ()
    error: tuple[int, int, str] | None = None
    """Line, column and message of a syntax error."""


def read_module(name: str, file: str, text: str) -> Module:
    """Read the source `text` of the module `name` (dotted, from the project root) in `file`."""
    try:
        return _read_module(name, file, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, column = getattr(error, "lineno", 1) or 1, getattr(error, "offset", 1) or 1
        return Module(name, error=(line, column, getattr(error, "msg", "") or str(error)))


def _read_module(name: str, file: str, text: str) -> Module:
    here = f"{name}.__init__" if file.endswith("__init__.py") else name
    tree = ast.parse(text)
    lines = text.split("\n")
    definitions: dict[str, Definition] = {}
    imports: dict[str, tuple[tuple[str, str], ...]] = {}
    loose: list[Definition] = []
    stars: list[str] = []
    functions: list[Function] = []

    def define(target: str, definition: Definition) -> None:
        before = definitions.get(target)
        definitions[target] = _joined(before, definition) if before else definition

    def bind(found: Iterable[tuple[str, str, str]]) -> None:
        for alias, module, attribute in found:
            if attribute == "*":
                stars.append(module)
            else:
                imports[alias] = (*imports.get(alias, ()), (module, attribute))

    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bind(_imported(node, here))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            define(node.name, _definition(node, lines, here))
            if isinstance(node, ast.FunctionDef) and (marked := _marked(node, name, file, lines)):
                functions.append(marked)
        elif targets := _assigned(node):
            for target in targets:
                define(target, _definition(node, lines, here))
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            loose.append(_definition(node, lines, here))
            bind(loose[-1].imports)  # a conditional import binds names for the whole module
    return Module(name, definitions, imports, tuple(loose), tuple(stars), tuple(functions))


def _assigned(node: ast.stmt) -> list[str]:
    """Return the names that a plain assignment defines; none for anything less plain."""
    if isinstance(node, ast.AnnAssign):
        targets: list[ast.expr] = [node.target]
    elif isinstance(node, ast.Assign):
        targets = [
            item
            for target in node.targets
            for item in (target.elts if isinstance(target, ast.Tuple) else [target])
        ]
    else:
        return []
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return names if len(names) == len(targets) else []


def _joined(first: Definition, second: Definition) -> Definition:
    return Definition(
        first.text + "\n" + second.text, first.names | second.names, first.imports + second.imports
    )


def _imported(node: ast.Import | ast.ImportFrom, here: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(node, ast.Import):
        for item in node.names:
            if item.asname:
                yield item.asname, item.name, ""
            else:
                yield item.name.partition(".")[0], item.name.partition(".")[0], ""
        return
    base = node.module or ""
    if node.level:
        package = here.split(".")[: -node.level]
        base = ".".join([*package, base] if base else package)
    for item in node.names:
        yield item.asname or item.name, base, item.name


def _definition(node: ast.stmt, lines: list[str], module: str) -> Definition:
    names: set[str] = set()
    imports: list[tuple[str, str, str]] = []
    hidden: set[int] = set()
    _walk(node, names)
    for child in ast.walk(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            imports += _imported(child, module)
        elif isinstance(child, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            hidden |= _docstring_lines(child, lines)
    first, last = _extent(node)
    text = "\n".join(lines[number - 1] for number in range(first, last + 1) if number not in hidden)
    return Definition(text, frozenset(names), tuple(imports))


def _docstring_lines(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, lines: list[str]
) -> set[int]:
    """Return the lines that hold a docstring and nothing else."""
    first = node.body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(node.body) > 1):
        return set()
    begin, end = first.lineno, first.end_lineno or first.lineno
    before = lines[begin - 1].encode()[: first.col_offset]
    after = lines[end - 1].encode()[first.end_col_offset or 0 :]
    return set() if before.strip() or after.strip() else set(range(begin, end + 1))


def _walk(node: ast.AST, names: set[str]) -> None:
    """Collect names, dotted as far as they are written."""
    for child in ast.iter_child_nodes(node):
        if dotted := _dotted(child):
            names.add(dotted)
        else:
            _walk(child, names)


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := _dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""


def _extent(node: ast.stmt) -> tuple[int, int]:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)]), node.end_lineno or node.lineno


def _marked(node: ast.FunctionDef, module: str, file: str, lines: list[str]) -> Function | None:
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        kind = _dotted(call).rpartition(".")[2]
        if kind in KINDS:
            break
    else:
        return None
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    values = {keyword.arg: _constant(keyword.value) for keyword in keywords if keyword.arg}
    options = tuple((name, value) for name, value in values.items() if value is not None)
    unread = tuple(name for name, value in values.items() if value is None)
    doc = ast.get_docstring(node) or ""
    fields = dict(_FIELD.findall(doc))
    first, last = _extent(node)
    return Function(
        f"{module.partition('.')[2]}.{node.name}", kind, file, node.lineno, "\n".join(lines[first - 1 : last]),
        doc.partition("\n")[0].strip(), _units(fields.get("Unit", "")),
        tuple(word.strip() for word in fields.get("Source", "").split(",") if word.strip()), options, unread,
    )  # fmt: skip


def _units(text: str) -> tuple[tuple[str, str], ...]:
    """Read `B`, or `weights=B, share=1`."""
    items = [item.strip() for item in text.split(",") if item.strip()]
    pairs = [item.partition("=") for item in items]
    return tuple((key.strip(), unit.strip()) if equals else ("", key.strip()) for key, equals, unit in pairs)


def _constant(node: ast.expr) -> float | None:
    """Evaluate the number of a decorator's option, such as `4 * 2**30`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp):
        left, right = _constant(node.left), _constant(node.right)
        apply = _ARITHMETIC.get(type(node.op))
        if left is None or right is None or apply is None or not abs(right) < 2**60 or abs(left) > 2**60:
            return None
        try:
            return apply(left, right)
        except (ArithmeticError, ValueError, TypeError):
            return None
    return None


_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: float(a) ** b if abs(b) <= 64 else float("nan"),
    ast.LShift: lambda a, b: a * 2.0**b if 0 <= b <= 64 else float("nan"),
}


Closure = tuple[str, tuple[str, ...], tuple[str, ...]]
"""Hash, third-party libraries, and measurements behind a function."""


class Code:
    """Every module under the project root that a call may reach, and the hashes of functions."""

    def __init__(self, root: Path, remembered: dict[str, tuple[str, Module]] | None = None) -> None:
        """Read `verifiers/` and `figures/`; `remembered` maps a file to its digest and Module."""
        self.root = root
        self.remembered = remembered if remembered is not None else {}
        self.modules: dict[str, Module | None] = {}
        self.files: dict[str, str] = {}
        self.folders: dict[str, bool] = {}
        """Folders that were asked for as packages, and whether they are there."""
        self.closures: dict[tuple[str, str], Closure] = {}
        self.recalled = 0
        """How many of them an earlier run had found."""
        self.functions: dict[str, Function] = {}
        """Verifiers and measurements by dotted name."""
        self.figures: dict[str, Function] = {}
        for folder, table in (("verifiers", self.functions), ("figures", self.figures)):
            for path in sorted((root / folder).rglob("*.py")):
                relative = path.relative_to(root)
                if any(part.startswith(".") for part in relative.parts):
                    continue
                name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
                if module := self.module(name):
                    table.update((function.name, function) for function in module.functions)

    def module(self, name: str) -> Module | None:
        """Return the local module `name`, or None where the project has no such file."""
        if name not in self.modules:
            self.modules[name] = None
            path = self.root.joinpath(*name.split("."))
            for candidate in (path.with_suffix(".py"), path / "__init__.py"):
                if candidate.is_file():
                    self.modules[name] = self._read(name, candidate)
                    break
        return self.modules[name]

    def _read(self, name: str, path: Path) -> Module:
        file = path.relative_to(self.root).as_posix()
        data = path.read_bytes()
        self.files[name] = file
        digest = hashlib.sha256(data).hexdigest()
        known = self.remembered.get(file)
        if known is None or known[0] != digest:
            text = data.decode("utf-8", errors="replace").replace("\r\n", "\n")
            known = (digest, read_module(name, file, text))
            self.remembered[file] = known
        return known[1]

    def folder(self, name: str) -> bool:
        """Say whether the project has a folder for the package `name`."""
        if name not in self.folders:
            self.folders[name] = self.root.joinpath(*name.split(".")).is_dir()
        return self.folders[name]

    def digest(self, name: str) -> str:
        """Return file and digest of the local module `name`, empty where there is none.

        The same text in another file is another module: `from . import x` in `m.py` and in `m/__init__.py`.
        """
        return f"{self.files[name]} {self.remembered[self.files[name]][0]}" if self.module(name) else ""

    def closure(self, folder: str, dotted: str) -> Closure:
        """Return hash, third-party libraries, and measurements behind the function `dotted` of `folder`."""
        known = self.closures.get((folder, dotted))
        if known is None:
            known = self.closures[folder, dotted] = self.fresh_closure(folder, dotted)
        return known

    def fresh_closure(self, folder: str, dotted: str) -> Closure:
        """Return what `closure` returns, from the modules as they are now."""
        module_name, _, function = f"{folder}.{dotted}".rpartition(".")
        walk = _Closure(self)
        walk.visit(module_name, function)
        module = self.module(module_name)
        marked = next((f for f in module.functions if f.name == dotted), None) if module else None
        digest = hashlib.sha256()
        for (module_of, name), text in sorted(walk.texts.items()):
            digest.update(f"\x00{module_of}\x01{name}\x02{text}".encode())
        if marked:
            digest.update(repr(marked.units).encode())
        return digest.hexdigest()[:20], tuple(sorted(walk.libraries)), tuple(sorted(walk.measurements))


class _Closure:
    """Walks from a definition to every local definition that it uses."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.texts: dict[tuple[str, str], str] = {}
        self.seen: set[tuple[str, str]] = set()
        self.libraries: set[str] = set()
        self.measurements: set[str] = set()
        self._queue: list[tuple[str, str]] = []

    def visit(self, module: str, name: str) -> None:
        self._queue.append((module, name))
        while self._queue:
            self._visit(*self._queue.pop())

    def _visit(self, module_name: str, name: str) -> None:
        module = self.code.module(module_name)
        if module is None or (module_name, name) in self.seen:
            return
        self.seen.add((module_name, name))
        self._touch(module)
        if name == "*":
            self._queue += [(module_name, each) for each in [*module.definitions, *module.imports]]
            return
        for target in module.imports.get(name, ()):  # re-exported
            self._follow(*target, rest="")
        definition = module.definitions.get(name)
        if definition is None:
            self._queue += [(star, name) for star in module.stars]
            return
        self.texts[module_name, name] = definition.text
        qualified = f"{module_name}.{name}".partition(".")[2]
        if any(f.name == qualified and f.kind == "measurement" for f in module.functions):
            self.measurements.add(qualified)
        self._uses(module, definition)

    def _touch(self, module: Module) -> None:
        """Count what runs when a module is imported: its loose statements, and those of what it imports."""
        if (module.name, "") in self.seen:
            return
        self.seen.add((module.name, ""))
        for number, loose in enumerate(module.loose):
            self.texts[module.name, f"#{number}"] = loose.text
            self._uses(module, loose)
        imported = [target for targets in module.imports.values() for target in targets]
        for target, attribute in [*imported, *((star, "") for star in module.stars)]:
            for name in (target, f"{target}.{attribute}"):
                self._touch_all(name)
        self._touch_all(module.name.rpartition(".")[0])

    def _touch_all(self, name: str) -> None:
        """Touch a module and the packages around it."""
        while name:
            if module := self.code.module(name):
                self._touch(module)
            name = name.rpartition(".")[0]

    def _uses(self, module: Module, definition: Definition) -> None:
        inner: dict[str, list[tuple[str, str]]] = {}
        for alias, target, attribute in definition.imports:
            inner.setdefault(alias, []).append((target, attribute))
            self._touch_all(target)
            if not self._local(target):
                self._library(target)
            elif attribute == "*":
                self._queue.append((target, "*"))
        for dotted in definition.names:
            head, _, rest = dotted.partition(".")
            if head in _DYNAMIC:
                self._queue.append((module.name, "*"))
            for origin in (*inner.get(head, ()), *module.imports.get(head, ())):
                self._follow(origin[0], origin[1], rest)
            if head in module.definitions:
                self._queue.append((module.name, head))
            if head not in module.definitions and head not in module.imports:
                self._queue += [(star, head) for star in module.stars]

    def _local(self, target: str) -> bool:
        return self.code.module(target) is not None or self.code.folder(target)

    def _library(self, target: str) -> None:
        top = target.partition(".")[0]
        if top and top not in sys.stdlib_module_names and top not in ("proofdeck", "verifiers", "figures"):
            self.libraries.add(top)

    def _follow(self, target: str, attribute: str, rest: str) -> None:
        """Go through an import: `target` is a module; `attribute` and `rest` lead on from there."""
        path = [part for part in (attribute, *rest.split(".")) if part]
        if not self._local(target):
            self._library(target)
            return
        while path and self.code.module(f"{target}.{path[0]}") is not None:
            target = f"{target}.{path.pop(0)}"
        if self.code.module(target) is not None:
            self._queue.append((target, path[0] if path else "*"))


def as_mapping(function: Function) -> dict[str, Any]:
    """Return what `list --verifiers` says of a function, but for its witnesses and cards."""
    unit = ", ".join(f"{key}={unit}" if key else unit for key, unit in function.units)
    return {
        "name": function.name,
        "unit": unit,
        "source": ", ".join(function.references),
        "kind": function.kind,
    }
