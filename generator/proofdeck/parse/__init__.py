"""Station one: card files to immutable notes that remember file, line and column."""

from proofdeck.parse.document import parse

__all__ = ["parse"]
