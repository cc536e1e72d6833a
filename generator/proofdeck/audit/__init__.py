"""Statements in prose that a machine can test: found, computed, judged.

    text → tokens (tokens) → calculations (calculations), ratios (ratios), known quantities (known) → findings

No false alarm is worth more than one more find: what could be read in two ways is right if it is right in
one of them, and what rests on something the sentence does not say is unknown.
"""
