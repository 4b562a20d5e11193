"""The verdict file: its schema, and a check against it."""

import json
from pathlib import Path
from typing import Any

import fastjsonschema

SCHEMA = Path(__file__).parent / "verdicts.schema.json"
SUITE_VERSION = "0.1.0"
"""The suite's own version; pyproject.toml says the same."""


def check(data: dict[str, Any]) -> None:
    """Raise fastjsonschema.JsonSchemaException if the data is no verdict file."""
    fastjsonschema.compile(json.loads(SCHEMA.read_text()))(data)
