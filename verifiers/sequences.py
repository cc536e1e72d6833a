"""Several lists that belong together, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def paired(**rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the items of several lists side by side; raise ValueError unless they are equally long."""
    try:
        return list(zip(*rows.values(), strict=True))
    except ValueError:
        lengths = ", ".join(f"{len(row)} {name}" for name, row in rows.items())
        raise ValueError(f"one item of each is needed everywhere, not {lengths}") from None
