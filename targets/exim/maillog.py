"""What Exim's main log says about recipients. No I/O.

Theory of operation
-------------------
A `Maillog` is fed line by line. A line about an attempt at a recipient begins with one of Exim's
flags (specification, chapter 53) and is one report. A server that could not be reached is named
on a line of its own that comes before, without a recipient; the `Maillog` remembers the newest
of each message until the message is `Completed`. So it does with the recipients it has heard of: that
the time to retry has not come is said at every queue run, and is news only of somebody who has
not been tried at all, because his host has just failed with another message.

Exim states no enhanced status code of its own, so a report has one only where the line passes a
server's reply on. Not every reply in a line is an answer that Exim makes its own: a 2yz that was
none of what it waited for, and an enhanced code of another class than its reply, are just text.
"""

import re

from model.report import Report, State

_ABOUT = re.compile(r"\S+ \S+ (?P<id>\w{6}-\w{6,11}-\w{2,4}) (?P<rest>.*)")
_RECIPIENT = re.compile(
    r"(?P<flag>=>|->|==|\*\*) (?P<sent_to>.*?@\S+?)"
    r"(?: <(?P<handed_in>.*?@[^>]*)>)?(?P<text>[ :].*)"
)
"""Whom it was sent to, without quotes; if that is not what was handed in, that stands behind it."""
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
_TOO_SOON = "retry time not reached"


class Maillog:
    """The log read so far."""

    def __init__(self) -> None:
        self._unreached: dict[str, tuple[str, str]] = {}
        self._heard_of: dict[str, set[str]] = {}

    def read(self, line: str) -> list[Report]:
        """The report that a line makes, if it makes one."""
        about = _ABOUT.match(line)
        if not about:
            return []
        queue_id, rest = about["id"], about["rest"]
        if recipient := _RECIPIENT.match(rest):
            return self._news(self._report(queue_id, recipient))
        if server := _SERVER.match(rest):
            self._unreached[queue_id] = server["host"], server["ip"]
        elif rest.startswith("Completed"):
            self._unreached.pop(queue_id, None)
            self._heard_of.pop(queue_id, None)
        return []

    def _news(self, report: Report) -> list[Report]:
        """The report, unless it says only that nothing has been done since the last one."""
        heard_of = self._heard_of.setdefault(report.queue_id, set())
        if report.state is State.HELD and report.recipient in heard_of:
            return []
        heard_of.add(report.recipient)
        return [report]

    def _report(self, queue_id: str, line: re.Match[str]) -> Report:
        """One attempt at one recipient."""
        text = line["text"].strip()
        host, ip = self._server(queue_id, line["text"])
        state = _STATES[line["flag"]]
        smtp, enhanced = _codes(line["text"], state)
        if state is State.RETURNED and _EXPIRED in text:
            state = State.EXPIRED
        if state is State.DEFERRED and _TOO_SOON in text:
            state = State.HELD
        return Report(
            line["handed_in"] or line["sent_to"],
            state,
            smtp=smtp,
            enhanced=enhanced,
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


def _codes(text: str, state: State) -> tuple[int, str]:
    """The codes of the reply that a line passes on; RFC 2034 section 4: both of one class."""
    reply = _REPLY.search(text)
    if reply is None or (reply["smtp"][0] == "2") is not (state is State.DELIVERED):
        return 0, ""
    enhanced = reply["enhanced"] or ""
    return int(reply["smtp"]), enhanced if enhanced[:1] == reply["smtp"][0] else ""
