"""Values only: what may happen, what was seen, what was wanted.

Nothing here does I/O, reads a clock, knows pytest, or imports another package of the project.
Everything is frozen and crosses the pipe between pytest and the lab as it is.
"""
