"""The agent's door: JSON lines in on stdin, JSON lines out on stdout.

Theory of operation
-------------------
A request is `{"id": n, "do": verb, ...}`; its answer `{"id": n, "ok": value}` or `{"id": n,
"error": sentence}`, or `{"id": n, "refused": reply}` for mail that is not taken. A report is
`{"report": {...}}`, unasked for. The first request must be `configure`. Requests are carried out
one after the other, in the order they came, and an accepted message is answered before its first
report. When stdin closes the agent ends.
"""

import asyncio
import base64
import importlib
import json
import resource
import sys
from collections.abc import Mapping
from typing import Any

from model.report import Report
from targets.base import NotTaken
from targets.reference.agent import Agent
from targets.reference.config import from_json, routes
from targets.reference.wishes import asked

LINE_LIMIT = 1 << 28
"""Octets in one request; a message travels in one line."""

WISHES = ("notify", "ret", "envid", "orcpt")
"""What a submission may ask for (RFC 3461)."""

Request = Mapping[str, Any]


class Door:
    """Carries out requests with an agent of the given class."""

    def __init__(self, agent_class: type[Agent]) -> None:
        self._agent_class = agent_class
        self._agent: Agent | None = None

    def answer(self, request: Request) -> dict[str, Any]:
        """Carry out one request; its answer, an error included."""
        try:
            return {"id": request.get("id"), "ok": self._do(request)}
        except NotTaken as refusal:
            return {"id": request.get("id"), "refused": str(refusal)}
        except (KeyError, TypeError, ValueError, OSError) as error:
            return {"id": request.get("id"), "error": f"{type(error).__name__}: {error}"}

    def _do(self, request: Request) -> Any:
        verb = request["do"]
        if verb == "configure":
            self._agent = self._agent_class(from_json(request["config"]), say_report)
            return "ready"
        if self._agent is None:
            raise ValueError("the agent has not been configured; send configure first")
        return self._order(self._agent, verb, request)

    def _order(self, agent: Agent, verb: str, request: Request) -> Any:
        match verb:
            case "submit":
                content = base64.b64decode(request["content"])
                wishes = asked(**{key: request[key] for key in WISHES if key in request})
                return agent.submit(request["sender"], request["recipients"], content, wishes)
            case "begin":
                content = base64.b64decode(request["content"])
                return agent.begin(request["sender"], request["recipients"], content)
            case "retry":
                return agent.retry(*request["queue_ids"])
            case "advance":
                return agent.advance(float(request["seconds"]))
            case "reroute":
                return agent.reroute(routes(request["routes"]))
            case "queue":
                return [
                    {"queue_id": one.queue_id, "recipients": one.recipients}
                    for one in agent.waiting()
                ]
        raise ValueError(f"there is no order {verb!r}")


def say(value: Mapping[str, Any]) -> None:
    """One line on stdout, at once."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def say_report(report: Report) -> None:
    """One report on stdout."""
    say({"report": report.values()})


def load(name: str) -> type[Agent]:
    """The agent class of `module:Class`; SystemExit with one sentence if there is none."""
    module, _, cls = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), cls)
    except (ImportError, AttributeError, ValueError) as error:
        raise SystemExit(f"there is no agent {name!r} (give module:Class): {error}") from error
    if not (isinstance(found, type) and issubclass(found, Agent)):
        raise SystemExit(f"{name!r} is no subclass of targets.reference.agent.Agent")
    return found


async def serve(agent_class: type[Agent]) -> None:
    """Answer requests until stdin closes, or until told to stop."""
    door = Door(agent_class)
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    try:
        while line := await reader.readline():
            request = json.loads(line)
            if request["do"] == "stop":
                break
            say(door.answer(request))
    finally:
        pipe.close()


def raise_file_limit() -> None:
    """Take as many open files as this user may have: each delivery needs a socket or two."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
