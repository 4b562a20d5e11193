"""Unpack an agent's Debian packages without installing them: `python tools/unpack_agent.py NAME`.

The packages named in `targets/NAME/packages`, and those they depend on that are not installed,
are downloaded by apt and unpacked into one tree, `agents/NAME` in the project's cache folder,
where the target's adapter looks for it. Nothing is installed, and no script of a package is run.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, it has only its own folder

from targets import packages

TARGETS = ROOT / "targets"


def main() -> None:
    """Unpack the agent named on the command line; exit with a sentence if that cannot be."""
    try:
        name = sys.argv[1]
        wanted = (TARGETS / name / "packages").read_text().split()
    except (IndexError, OSError):
        known = ", ".join(sorted(p.parent.name for p in TARGETS.glob("*/packages")))
        sys.exit(f"say which agent to unpack: {known}")
    try:
        tree = unpack(name, wanted)
    except FileNotFoundError as error:
        sys.exit(
            f"`{error.filename}` is not on this machine: unpacking needs Debian's apt and dpkg"
        )
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"`{' '.join(error.cmd)}` failed ({_last_line(error)}): try `apt-get update` first"
        )
    sys.stdout.write(f"{tree}\n")


def unpack(name: str, wanted: list[str]) -> Path:
    """Download and unpack, then put the tree in its place at once; the place.

    Raises CalledProcessError if apt or dpkg fails, FileNotFoundError if there is none.
    """
    tree = packages.place(name)
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mailflow-") as download:
        Path(download).chmod(0o777)  # as root, apt downloads as the user _apt
        _run("apt-get", "download", "-q", *_missing(wanted), cwd=download)
        with tempfile.TemporaryDirectory(dir=tree.parent) as unpacked:
            made = Path(unpacked) / name
            for package in sorted(Path(download).glob("*.deb")):
                _run("dpkg", "-x", str(package), str(made))
            shutil.rmtree(tree, ignore_errors=True)
            made.rename(tree)
    return tree


def _missing(wanted: list[str]) -> list[str]:
    """What apt would install for these packages, and always these packages themselves."""
    plan = _run("apt-get", "install", "-s", "--no-install-recommends", *wanted)
    lines = [line.split() for line in plan.splitlines()]
    needed = [words[1] for words in lines if words[:1] == ["Inst"]]
    return list(dict.fromkeys([*wanted, *needed]))


def _run(*argv: str, cwd: str | None = None) -> str:
    env = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(argv, cwd=cwd, env=env, check=True, capture_output=True, text=True).stdout


def _last_line(error: subprocess.CalledProcessError) -> str:
    return (str(error.stderr).strip().splitlines() or ["no reason given"])[-1]


if __name__ == "__main__":
    main()
