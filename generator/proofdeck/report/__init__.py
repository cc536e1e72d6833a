"""The evidence report: what stands behind every claim of a project, as plain data and as pages of a site.

Reads what earlier stations found out (verdicts, the evidence lock, remembered runs) and the history that git
keeps of the lock; runs no verifier and decides nothing.
"""
