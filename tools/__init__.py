"""Tools for whoever works on the project: `python -m tools.NAME`."""
