"""What Exim's main log says about recipients. No I/O.

Theory of operation
-------------------
A `Maillog` is fed line by line. A line about an attempt at a recipient begins with one of Exim's
flags (specification, chapter 53) and is one report. A server that could not be reached is named
on a line of its own that comes before, without a recipient; the `Maillog` remembers the newest
of each message until the message is `Completed`.

Exim states no enhanced status code of its own, so a report has one only where the line passes a
server's reply on.
"""

import re

from model.report import Report, State

_ABOUT = re.compile(r"\S+ \S+ (?P<id>\w{6}-\w{6,11}-\w{2,4}) (?P<rest>.*)")
_RECIPIENT = re.compile(
    r"(?P<flag>=>|->|==|\*\*) (?P<recipient>\S+?)(?: <(?P<original>[^>]*)>)?(?P<text>[ :].*)"
)
"""The original recipient stands in brackets where Exim has made another of it."""
_SERVER = re.compile(r"\bH=(?P<host>\S+) \[(?P<ip>[0-9A-Fa-f.:]+)\]")
_TRIED = re.compile(r" T=\S")
_REPLY = re.compile(
    r'(?: C="|remote mail server after .*?: )'
    r"(?P<smtp>[245]\d\d)(?:[ -](?P<enhanced>[245]\.\d{1,3}\.\d{1,3})(?!\d|\.))?"
)
_STATES = {
    "=>": State.DELIVERED,
    "->": State.DELIVERED,  # another recipient of the same delivery
    "==": State.DEFERRED,
    "**": State.RETURNED,
}
_EXPIRED = "retry timeout exceeded"


class Maillog:
    """The log read so far."""

    def __init__(self) -> None:
        self._unreached: dict[str, tuple[str, str]] = {}

    def read(self, line: str) -> list[Report]:
        """The report that a line makes, if it makes one."""
        about = _ABOUT.match(line)
        if not about:
            return []
        queue_id, rest = about["id"], about["rest"]
        if recipient := _RECIPIENT.match(rest):
            return [self._report(queue_id, recipient)]
        if server := _SERVER.match(rest):
            self._unreached[queue_id] = server["host"], server["ip"]
        elif rest.startswith("Completed"):
            self._unreached.pop(queue_id, None)
        return []

    def _report(self, queue_id: str, line: re.Match[str]) -> Report:
        """One attempt at one recipient."""
        text = line["text"].strip()
        host, ip = self._server(queue_id, line["text"])
        reply = _REPLY.search(line["text"])
        state = _STATES[line["flag"]]
        if state is State.RETURNED and _EXPIRED in text:
            state = State.EXPIRED
        return Report(
            line["original"] or line["recipient"],
            state,
            smtp=int(reply["smtp"]) if reply else 0,
            enhanced=(reply["enhanced"] or "") if reply else "",
            text=text,
            host=host,
            ip=ip,
            queue_id=queue_id,
        )

    def _server(self, queue_id: str, text: str) -> tuple[str, str]:
        """The server's name and address; none if routing failed and no transport ran."""
        if server := _SERVER.search(text):
            return server["host"], server["ip"]
        return self._unreached.get(queue_id, ("", "")) if _TRIED.search(text) else ("", "")
