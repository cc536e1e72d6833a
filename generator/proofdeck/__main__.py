"""`python -m proofdeck`."""

from proofdeck.cli import main

main(prog_name="proofdeck")
