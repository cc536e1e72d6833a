"""Where things stand in the site: addresses are relative, so it works from disk and on any host."""

from __future__ import annotations


def topic_page(file: str) -> str:
    """Return the page of a card file.

    >>> topic_page("cards/inference/kv-cache.md")
    'cards/inference/kv-cache.html'
    """
    return file.removesuffix(".md") + ".html"


def module_page(function: str) -> str:
    """Return the page of the module that a verifier stands in.

    >>> module_page("kernels.attention.speedup")
    'evidence/verifiers/kernels.attention.html'
    """
    return f"evidence/verifiers/{function.rpartition('.')[0]}.html"


def to_root(page: str) -> str:
    """Return how a page reaches the site's root.

    >>> to_root("cards/inference/kv-cache.html")
    '../../'
    """
    return "../" * page.count("/")
