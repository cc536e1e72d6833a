"""Mutants of the verifiers: small faults, one at a time, and whether the witnesses notice.

    python tests/mutants.py                          every module of verifiers/
    python tests/mutants.py verifiers/kv_cache.py    some modules
    python tests/mutants.py --sample 20              twenty mutants of each module, always the same ones

The tools at hand do not fit: mutmut leaves decorated functions alone, which all verifiers are, and cosmic-ray
starts Python anew for every mutant, seconds each with PyTorch. Here the libraries are imported once, and
every mutant is tested in a fork.

Left as they are: decorators, annotations, texts, messages of errors, and the defaults of property checks,
which only choose the inputs that are tried. A survivor that no test could kill is explained in
tests/survivors/MODULE.yaml, a list of `mutant:` (as printed, without its line) and `why:`. What came out is
remembered under .proofdeck/ until the module or its tests change.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import importlib
import importlib.util
import io
import json
import os
import random
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import click
import pytest
import yaml

from proofdeck.api import MARK

ROOT = Path(__file__).resolve().parents[1]
SHARED = (
    "numpy",
    "scipy",
    "torch",
    "transformers",
    "tokenizers",
    "sklearn",
    "sacrebleu",
    "faiss",
    "datasketch",
)
"""Libraries worth importing before the fork, where the tests of a module name them."""
MEMORY = 6 * 2**30
OPTIONS = [
    "-q",
    "--no-header",
    "--tb=short",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "--assert=plain",
    "-o",
    "timeout=0",
]

BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.MatMult: ast.Mult, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}
NAMES |= {"minimum": "maximum", "maximum": "minimum", "argmin": "argmax", "argmax": "argmin"}


@dataclass(frozen=True)
class Mutant:
    """A module with one fault."""

    line: int
    text: str
    """`before → after`."""
    code: CodeType
    function: str
    """The function, class or constant of the module that holds it; its own witnesses are asked first."""


def mutants_of(path: Path) -> list[Mutant]:
    """Return every mutant of a module, in the order of its lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    owners = {id(inner): getattr(part, "name", "") for part in tree.body for inner in ast.walk(part)}
    for node, before, after in faults(tree):
        changed = ast.fix_missing_locations(tree)
        code = compile(changed, str(path), "exec")
        found.append(Mutant(node.lineno, f"{before} → {after}", code, owners[id(node)]))
    return found


def faults(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    """Put one fault after the other into `tree`, yield it while it stands, and take it back."""
    skipped = {id(inner) for part in left_alone(tree) for inner in ast.walk(part)}
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in list(ast.walk(tree)):
        if id(node) in skipped or not isinstance(node, ast.expr | ast.stmt):
            continue
        shown = node if isinstance(node, ast.stmt) or not isinstance(node, ast.Constant | ast.Name) else None
        shown = shown or _context(node, parents)
        before = _told(shown)
        for change in changes(node):
            undo = change()
            yield node, before, _told(shown)
            undo()


def _context(node: ast.AST, parents: dict[int, ast.AST]) -> ast.AST:
    """Return the expression around a constant or a name, which tells more than itself."""
    around = parents.get(id(node), node)
    if isinstance(around, ast.keyword):
        around = parents.get(id(around), node)
    return around if isinstance(around, ast.expr) else node


def _told(node: ast.AST) -> str:
    text = ast.unparse(node).split("\n")[0]
    return text if len(text) <= 300 else text[:297] + "…"


def left_alone(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the parts of a module that hold nothing to test."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from node.decorator_list
        if isinstance(node, ast.FunctionDef):
            yield from [arg.annotation for arg in _arguments(node) if arg.annotation]
            if node.returns:
                yield node.returns
            if re.search(r"^\s*Unit: check\s*$", ast.get_docstring(node) or "", re.MULTILINE):
                yield from [default for default in (*node.args.defaults, *node.args.kw_defaults) if default]
        elif isinstance(node, ast.AnnAssign):
            yield node.annotation
        elif isinstance(node, ast.Raise):
            yield node
        elif isinstance(node, ast.Assert) and node.msg:
            yield node.msg
        elif isinstance(node, ast.Assign) and _is_alias(node):
            yield node


def _arguments(node: ast.FunctionDef) -> list[ast.arg]:
    args = node.args
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]


def _is_alias(node: ast.Assign) -> bool:
    """Say whether this names a type, as `Array = npt.NDArray[np.float64]` or `Row = dict[str, int | str]`."""
    name = node.targets[0]
    return isinstance(name, ast.Name) and bool(re.fullmatch(r"_?[A-Z][a-z]\w*", name.id))


def changes(node: ast.expr | ast.stmt) -> Iterator[Callable[[], Callable[[], None]]]:
    """Yield functions that put a fault into `node` and return what takes it back."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in BINARY:
            yield _setting(node, "op", BINARY[type(op)]())
        case ast.UnaryOp(op=ast.USub()):
            yield _setting(node, "op", ast.UAdd())
        case ast.UnaryOp(op=ast.Not()):
            # `not not x` is x as a condition
            yield _setting(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield _setting(node, "ops", [*ops[:index], other(), *ops[index + 1 :]])
        case ast.BoolOp(op=op):
            yield _setting(node, "op", ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.Constant(value=bool() as value):
            yield _setting(node, "value", not value)
        case ast.Constant(value=int() as number):
            yield _setting(node, "value", number + 1)
            yield _setting(node, "value", number - 1)
        case ast.Constant(value=float() as number):
            yield _setting(node, "value", number * 1.5 if number else 1.0)
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                yield _setting(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.Call(func=ast.Name(id=name) as func) if name in NAMES:
            yield _setting(func, "id", NAMES[name])
        case ast.Call(func=ast.Attribute(attr=name) as attribute) if name in NAMES:
            yield _setting(attribute, "attr", NAMES[name])
        case ast.Expr(value=ast.Call()):
            yield _setting(node, "value", ast.Constant(None))


def _setting(node: ast.AST, name: str, value: object) -> Callable[[], Callable[[], None]]:
    before = getattr(node, name)

    def change() -> Callable[[], None]:
        setattr(node, name, copy.copy(value) if isinstance(value, ast.AST) else value)
        return lambda: setattr(node, name, before)

    return change


def tests_of(path: Path) -> list[Path]:
    """Return the test files that witness a module: its own one first, and those that name it in a mark."""
    dotted = ".".join(path.relative_to(ROOT / "verifiers").with_suffix("").parts)
    own = ROOT / "tests" / "witnesses" / f"test_{dotted.replace('.', '_')}.py"
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    marked = re.compile(rf'"{re.escape(dotted)}\.\w+"')
    named = [
        f for f in files if "witnesses(" in (text := f.read_text(encoding="utf-8")) and marked.search(text)
    ]
    return list(dict.fromkeys([*([own] if own.exists() else []), *named]))


class Trial:
    """Collects the tests of a module once, and runs them on one mutant after the other, each in a fork."""

    def __init__(self, path: Path, mutants: list[Mutant], jobs: int) -> None:
        self.path = path
        self.module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        self.mutants = mutants
        self.jobs = jobs
        self.alive: list[Mutant] = []
        self.sound = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop over the tests."""
        begin = time.monotonic()
        self.sound = os.waitstatus_to_exitcode(os.waitpid(self.fork(session, None, 600), 0)[1]) == 0
        seconds = max(10, round(5 * (time.monotonic() - begin)))
        waiting, running = list(reversed(self.mutants)) if self.sound else [], dict[int, Mutant]()
        while waiting or running:
            while waiting and len(running) < self.jobs:
                mutant = waiting.pop()
                running[self.fork(session, mutant, seconds)] = mutant
            pid, status = os.wait()
            mutant = running.pop(pid)
            if os.waitstatus_to_exitcode(status) == 0:
                self.alive.append(mutant)
        self.alive.sort(key=lambda mutant: mutant.line)
        return True

    def fork(self, session: pytest.Session, mutant: Mutant | None, seconds: int) -> int:
        if pid := os.fork():
            return pid
        status = 70
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            limit_memory()
            if mutant:
                silence()
                replace(self.module, mutant.code)
            status = self.run(session, mutant)
        finally:
            os._exit(status)

    def run(self, session: pytest.Session, mutant: Mutant | None) -> int:
        """Return 0 where every test passes; the witnesses of the changed function speak first."""
        name = f"{self.module.removeprefix('verifiers.')}.{mutant.function if mutant else ''}"
        items = sorted(session.items, key=lambda item: name not in getattr(item.function, MARK, ()))
        for item, after in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if session.testsfailed:
                if mutant is None:
                    os.write(2, f"{item.nodeid} fails without any mutant\n".encode())
                return 1
        return 0


def limit_memory() -> None:
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def replace(name: str, code: CodeType) -> None:
    """Run `code` in place of the module `name`, also for those who took functions or tables out of it."""
    module = importlib.import_module(name)
    before = {id(thing): key for key, thing in vars(module).items() if _of_its_own(thing)}
    keep = [getattr(module, key) for key in before.values()]  # so that no id is used again
    exec(code, vars(module))
    for other in list(sys.modules.values()):
        if other is not module and str(getattr(other, "__file__", "")).startswith(str(ROOT)):
            for key, thing in list(vars(other).items()):
                if id(thing) in before:
                    setattr(other, key, getattr(module, before[id(thing)]))
    del keep


def _of_its_own(thing: object) -> bool:
    return isinstance(thing, dict | list) or (callable(thing) and hasattr(thing, "__module__"))


def survivors_of(path: Path, mutants: list[Mutant], jobs: int, tests: list[Path]) -> list[Mutant]:
    """Return the mutants that the tests let live."""
    trial = Trial(path, mutants, jobs)
    out = io.StringIO()
    with redirect_stdout(out):
        status = pytest.main([*OPTIONS, *map(str, tests)], plugins=[trial])
    if status or not trial.sound:
        raise click.ClickException(
            f"{path.name}: its witnesses fail without any mutant\n{out.getvalue()[-2000:]}"
        )
    return trial.alive


def explained(path: Path) -> set[str]:
    """Return the survivors of a module that a person has explained."""
    dotted = ".".join(path.relative_to(ROOT / "verifiers").with_suffix("").parts)
    file = ROOT / "tests" / "survivors" / f"{dotted}.yaml"
    if not file.exists():
        return set()
    rows = yaml.safe_load(file.read_text(encoding="utf-8"))
    if any(not str(row.get("why", "")).strip() for row in rows):
        raise click.ClickException(f"{file.name}: every survivor needs a reason, `why:`")
    return {row["mutant"] for row in rows}


def preload(tests: list[Path]) -> None:
    """Import what the tests need and no mutant touches."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    text = "".join(path.read_text(encoding="utf-8") for path in tests)
    for name in SHARED:
        if name in text and importlib.util.find_spec(name):
            importlib.import_module(name)
    if "torch.optim" in text:  # whose first step imports the compiler, in every fork anew
        importlib.import_module("torch._dynamo")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def remembered(path: Path, tests: list[Path], sample: int) -> Path:
    """Return where the result for exactly this module and these tests is kept."""
    digest = hashlib.sha256(repr((path.name, sample)).encode())
    for file in (path, *tests, Path(__file__)):
        digest.update(file.read_bytes())
    return ROOT / ".proofdeck" / "mutants" / f"{path.stem}-{digest.hexdigest()[:16]}.json"


def examine(path: Path, sample: int, jobs: int) -> tuple[int, int, int]:
    """Test the mutants of one module; print and return how many there were, were killed, are explained."""
    begin = time.monotonic()
    tests = tests_of(path)
    name = path.relative_to(ROOT).as_posix()
    kept = remembered(path, tests, sample)
    if kept.exists():
        count, alive = json.loads(kept.read_text(encoding="utf-8"))
    else:
        mutants = mutants_of(path)
        if sample and len(mutants) > sample:
            mutants = sorted(random.Random(name).sample(mutants, sample), key=lambda mutant: mutant.line)
        count = len(mutants)
        if count and not tests:
            click.echo(f"{name}: no witness for {count} mutants")
            return count, 0, 0
        if count:
            preload(tests)
        alive = (
            [(mutant.line, mutant.text) for mutant in survivors_of(path, mutants, jobs, tests)]
            if count
            else []
        )
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps([count, alive]), encoding="utf-8")
    if not count:
        return 0, 0, 0
    known = explained(path)
    excused = sum(text in known for _, text in alive)
    killed = count - len(alive)
    told = f"{name}: {killed} of {count} killed ({killed / count:.1%}), {excused} survivors explained"
    click.echo(f"{told}, {time.monotonic() - begin:.0f} s")
    for line, text in alive:
        if text not in known:
            click.echo(f"  {name}:{line}: {text}")
    return count, killed, excused


def all_modules() -> list[Path]:
    """Return every module of the library, without those that time a device: what they give is never the same."""
    folder = ROOT / "verifiers"
    deeper = [path for path in folder.glob("*/*.py") if "@verifier" in path.read_text(encoding="utf-8")]
    return sorted([*folder.glob("*.py"), *deeper])


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--sample", default=0, help="Mutants of each module; 0: all.")
@click.option("--jobs", default=os.cpu_count() or 1, help="Mutants tested at the same time.")
@click.option(
    "--least", default=95.0, help="Per cent of mutants, but for the explained, that must be killed."
)
def main(paths: tuple[Path, ...], sample: int, jobs: int, least: float) -> None:
    """Count the mutants of verifiers/ that the witnesses kill."""
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    modules = [path.resolve() for path in paths] or all_modules()
    total = killed = excused = 0
    for path in modules:
        # a fork for each module, so that what one imports does not weigh on the next
        reader, writer = os.pipe()
        if not (pid := os.fork()):
            os.close(reader)
            status = 1
            try:
                os.write(writer, " ".join(map(str, examine(path, sample, jobs))).encode())
                status = 0
            except click.ClickException as error:
                click.echo(error.format_message(), err=True)
            finally:
                sys.stdout.flush()
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            counts = [int(word) for word in pipe.read().split()]
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) or not counts:
            raise SystemExit(1)
        total, killed, excused = total + counts[0], killed + counts[1], excused + counts[2]
    share = 100 * killed / (total - excused) if total > excused else 100.0
    click.echo(f"{killed} of {total} mutants killed ({share:.1f} %), {excused} survivors explained")
    if share < least:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
