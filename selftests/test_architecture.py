"""Imports point one way, and no target's name stands outside targets/."""

import ast
import re
from pathlib import Path

import pytest

from targets.base import names

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "model": {"model"},
    "catalogue": {"catalogue", "model"},
    "fakes": {"fakes", "model"},
    "targets": {"targets", "model", "lab.room"},
    "lab": {"lab", "fakes", "targets.base", "model"},
    "reports": {"reports", "model"},
    "fixtures": {"fixtures", "reports", "lab", "targets.base", "catalogue", "model"},
    "suites": {"fixtures"},
}
"""What each folder may import of ours."""
FILES = [path for folder in MAY_IMPORT for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(source: str) -> set[str]:
    """The modules that a source text imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def backwards(folder: str, source: str) -> set[str]:
    """The imports that point the wrong way."""
    ours = {name for name in imports(source) if name.split(".")[0] in MAY_IMPORT}
    return {
        name
        for name in ours
        if not any(name == ok or name.startswith(ok + ".") for ok in MAY_IMPORT[folder])
    }


def test_the_check_objects() -> None:
    """It sees an arrow drawn backwards."""
    assert backwards("model", "from lab.pace import PACES") == {"lab.pace"}
    assert backwards("lab", "import targets.postfix.adapter") == {"targets.postfix.adapter"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    """Values, machines, glue, in this order."""
    assert backwards(path.relative_to(ROOT).parts[0], path.read_text()) == set()


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.relative_to(ROOT).parts[0] != "targets"],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_no_target_is_named_outside_its_folder(path: Path) -> None:
    """The default target is named once, in the options; nothing else knows a name."""
    others = [name for name in names() if name != "reference"]
    text = path.read_text().lower()

    assert [name for name in others if re.search(rf"\b{name}\b", text)] == []


def test_only_the_glue_knows_pytest() -> None:
    """Suites, fixtures and conftest.py import it; nothing below them does."""
    below = [p for p in FILES if p.relative_to(ROOT).parts[0] not in ("fixtures", "suites")]

    assert [p for p in below if "pytest" in {n.split(".")[0] for n in imports(p.read_text())}] == []


def test_the_model_reads_no_clock_and_does_no_io() -> None:
    """Only the standard library's pure parts are imported."""
    forbidden = {"time", "socket", "os", "asyncio", "subprocess", "pathlib", "datetime"}
    model = [p for p in FILES if p.relative_to(ROOT).parts[0] == "model"]

    assert [p.name for p in model if imports(p.read_text()) & forbidden] == []


def test_the_model_draws_from_a_seed_only() -> None:
    """What is random there can be had again: no call of the module's own, unseeded functions."""
    loose = re.compile(r"\brandom\.(?!Random\([^)])")
    model = [p for p in FILES if p.relative_to(ROOT).parts[0] == "model"]

    assert loose.search("random.choice(busy)")
    assert loose.search("random.Random()")
    texts = {p.name: p.read_text() for p in model if "random" in imports(p.read_text())}
    assert [name for name, text in texts.items() if loose.search(text)] == []
