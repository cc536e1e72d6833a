"""A base for values that are stored between builds."""

from __future__ import annotations


class Record:
    """Base of a slotted dataclass: pickled as its constructor's arguments, many times faster."""

    __slots__: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), tuple([getattr(self, name) for name in self.__slots__])
