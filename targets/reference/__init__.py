"""The reference agent: a small, real delivery agent that speaks the Exchange Online dialect.

It runs as a process of its own (`python -m targets.reference serve`). The adapter in
`adapter.py` is all that the lab sees of it.
"""

__version__ = "1.0"
