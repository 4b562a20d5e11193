"""A page of a run without any tool: the verdicts, and for each scenario its evidence, folded."""

import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

_ORDER = ("fail", "broken", "inconclusive", "known", "unsupported", "weak", "accepted", "pass")
"""The verdicts, those first that somebody must look at."""
_STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 72em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse } th { text-align: left; font-weight: normal; color: #555 }
th, td { padding: .15em 1.2em .15em 0; vertical-align: top }
pre { background: #f4f4f4; padding: .6em; overflow-x: auto; font-size: 13px }
summary { cursor: pointer; padding: .2em 0 } details details { margin-left: 1.5em }
b { display: inline-block; min-width: 6.5em; font-weight: 600 } code { color: #555 }
.fail, .broken { color: #b00020 } .inconclusive, .known, .weak { color: #9a6700 }
.pass, .accepted { color: #1a7f37 } .unsupported { color: #57606a }
"""


def page(folder: Path) -> str:
    """The page of the run whose results are in a folder."""
    run = json.loads((folder / "verdicts.json").read_text())
    evidence = _evidence(folder / "allure-results")
    scenarios = sorted(run["scenarios"], key=lambda s: _ORDER.index(s["verdict"]))
    title = escape(f"Mail flow: {run['target']} {run['target_version']}")
    counts = ", ".join(
        f'<span class="{v}">{run["counts"][v]} {v}</span>' for v in _ORDER if run["counts"][v]
    )
    facts = {key: run[key] for key in ("dialect", "started", "wall_s", "suite_version")}
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{counts}</p>{_table(facts)}<h2>Scenarios</h2>"
        + "\n".join(_scenario(s, evidence.get(s["id"], [])) for s in scenarios)
        + "</html>\n"
    )


def _scenario(scenario: dict[str, Any], evidence: Iterable[tuple[str, str]]) -> str:
    verdict = scenario["verdict"]
    report = scenario["report"] or {}
    laws = scenario["laws"]
    facts = {
        "expected": scenario["expected"]["primary"],
        "or": "; ".join(scenario["expected"]["accepted"]),
        "observed": scenario["observed"],
        "note": scenario["note"],
        "reported text": report.get("text"),
        "about host": " ".join(filter(None, (report.get("host"), report.get("ip")))),
        "attempts": scenario["attempts"],
        "laws broken": ", ".join(law for law in laws if laws[law] == "broken"),
    }
    opened = " open" if verdict in ("fail", "broken", "inconclusive") else ""
    pieces = (
        f"<details><summary>{escape(name)}</summary><pre>{escape(text)}</pre></details>"
        for name, text in evidence
    )
    return (
        f'<details{opened}><summary><b class="{verdict}">{verdict}</b> '
        f"{escape(scenario['title'])} <code>{escape(scenario['id'])}</code></summary>"
        f"{_table({key: value for key, value in facts.items() if value})}{''.join(pieces)}</details>"
    )


def _table(facts: dict[str, Any]) -> str:
    rows = (f"<tr><th>{escape(k)}</th><td>{escape(str(v))}</td></tr>" for k, v in facts.items())
    return f"<table>{''.join(rows)}</table>"


def _evidence(results: Path) -> dict[str, list[tuple[str, str]]]:
    """By scenario id, name and text of what is attached to its result."""
    found = {}
    for path in results.glob("*-result.json"):
        result = json.loads(path.read_text())
        attached = [(a["name"], results / a["source"]) for a in result.get("attachments", ())]
        scenario = result["name"].partition(":")[0]
        found[scenario] = [(name, text.read_text(errors="replace")) for name, text in attached]
    return found
