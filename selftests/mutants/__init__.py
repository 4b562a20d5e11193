"""Deliberately wrong agents: what proves that each check can object.

A mutant is the reference agent with one thing changed. Beside it stands what catches it. That
the suite catches it there, and objects to nothing else, is the test of `test_mutants.py`;
`python -m selftests.mutants` prints who catches what.
"""
