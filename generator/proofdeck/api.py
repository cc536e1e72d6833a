"""The few names that content may import: `verifier`, `measurement`, `figure`, `witnesses`.

Each decorator only marks a function and returns it unchanged, so a verifier stays a plain Python
function that tests, figures and other verifiers call directly. The engine finds marked functions by
reading their source; it imports them only in a worker process, and only to run them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

MARK = "__proofdeck__"
"""Attribute under which a decorator leaves its `Mark` on the function."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a decorator says of a function."""

    kind: str
    """`verifier`, `measurement` or `figure`."""
    timeout: float
    """Seconds of wall clock after which the worker that runs the function is killed."""
    memory: int
    """Bytes that the worker may allocate."""
    tolerance: float
    """Relative difference below which two results of the same call are the same result."""


GIB = 2**30

_RecordedCall = tuple[str, tuple[Any, ...], dict[str, Any], Any, bool]
_records: list[_RecordedCall] | None = None
"""While figures are drawn: every recorded measurement, as function, arguments, value, and whether a figure may
not show it, since it was measured with other code."""


def use_records(records: list[_RecordedCall]) -> None:
    """From here on, calling a measurement returns its recorded value instead of timing anything."""
    global _records
    _records = records


class _Entries(dict[str, Any]):
    """A record's value; an entry that the machine did not give is one that nobody has measured."""

    def __missing__(self, key: str) -> Any:
        raise LookupError(f"nobody has measured {key!r}: the record has {', '.join(map(repr, self))}")


def _recorded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Stand in for a measurement: look its call up, however its arguments are written."""
    import functools
    import inspect
    import json

    signature = inspect.signature(function)
    name = f"{function.__module__.partition('.')[2]}.{function.__name__}"

    def bound(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        return json.dumps(call.arguments, sort_keys=True)

    def told(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        words = [*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())]
        return f"{name}({', '.join(words)})"

    def same(args: tuple[Any, ...], kwargs: dict[str, Any], wanted: str) -> bool:
        try:
            return bound(args, kwargs) == wanted
        except TypeError:  # recorded when the function took other arguments
            return False

    @functools.wraps(function)
    def look_up(*args: Any, **kwargs: Any) -> Any:
        wanted = bound(args, kwargs)
        for recorded, its_args, its_kwargs, value, stale in _records or ():
            if recorded == name and same(its_args, its_kwargs, wanted):
                if stale:
                    raise LookupError(
                        f"{told(args, kwargs)} was measured with other code; run `proofdeck measure`"
                    )
                return _Entries(value) if isinstance(value, dict) else value
        call = told(args, kwargs)
        raise LookupError(f"nobody has measured {call}; run `proofdeck measure '{call}'`")

    return look_up


def _mark(function: F, mark: Mark) -> F:
    setattr(function, MARK, mark)
    return function


@overload
def verifier(function: F, /) -> F: ...
@overload
def verifier(
    *, timeout: float = 30.0, memory: int = 4 * GIB, tolerance: float = 1e-9
) -> Callable[[F], F]: ...
def verifier(
    function: Any = None, /, *, timeout: float = 30.0, memory: int = 4 * GIB, tolerance: float = 1e-9
) -> Any:
    """Mark a function that computes a value, or checks a property by raising `AssertionError`.

    The function takes literals and is deterministic. Its docstring says, on lines of their own,
    `Unit:` (of a value; `1` for a pure number) and `Source:`. A check returns nothing, or a
    mapping that says which inputs it tried.
    """
    mark = Mark("verifier", timeout, memory, tolerance)
    return _mark(function, mark) if function is not None else lambda f: _mark(f, mark)


@overload
def measurement(function: F, /) -> F: ...
@overload
def measurement(*, timeout: float = 600.0, memory: int = 64 * GIB) -> Callable[[F], F]: ...
def measurement(function: Any = None, /, *, timeout: float = 600.0, memory: int = 64 * GIB) -> Any:
    """Mark a function that times hardware; it runs under `proofdeck measure` and at no other time.

    It returns a mapping with `value` (a number, a mapping or rows, in the docstring's unit) and whatever
    else belongs into the record: `samples`, `spread`, `error`, `roof`. In a figure, calling it gives the
    recorded value.
    """
    mark = Mark("measurement", timeout, memory, 0.0)

    def apply(f: F) -> F:
        _mark(f, mark)
        return f if _records is None else _mark(_recorded(f), mark)  # type: ignore[return-value]

    return apply(function) if function is not None else apply


@overload
def figure(function: F, /) -> F: ...
@overload
def figure(*, timeout: float = 60.0, memory: int = 4 * GIB) -> Callable[[F], F]: ...
def figure(function: Any = None, /, *, timeout: float = 60.0, memory: int = 4 * GIB) -> Any:
    """Mark a function under `figures/` that returns a `matplotlib.figure.Figure`.

    The first line of its docstring is the picture's alternative text. Its numbers come from
    verifiers, called as plain functions.
    """
    mark = Mark("figure", timeout, memory, 0.0)
    return _mark(function, mark) if function is not None else lambda f: _mark(f, mark)


def witnesses(*names: str) -> Callable[[F], F]:
    """Mark a test as the independent witness of the verifiers `names` (`"kv_cache.nbytes"`)."""

    def mark(function: F) -> F:
        setattr(function, MARK, names)
        return function

    return mark
