"""proofdeck: Anki decks whose every claim is tested."""

from proofdeck.api import figure, measurement, verifier, witnesses

__all__ = ["__version__", "figure", "measurement", "verifier", "witnesses"]
__version__ = "0.1.0"
