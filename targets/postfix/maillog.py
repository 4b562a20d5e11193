"""What Postfix's log says about recipients. No I/O.

Theory of operation
-------------------
A `Maillog` is fed line by line. It remembers of each queue id the recipients whose delivery was
put off: when the queue manager gives a message up it names the message and no recipient
(`status=expired`), and then the report is about each of those. Only the lines of delivery
agents and the queue manager change that memory; `removed` ends it.
"""

import re

from model.report import Report, State

_ABOUT = re.compile(r" postfix/[\w/-]+\[\d+\]: (?P<id>[0-9A-Za-z]+): (?P<rest>.*)")
_TO = re.compile(
    r'to=<(?P<recipient>(?:"(?:\\.|[^"\\])*"|[^">])*)>, '  # as in SMTP (info_log_address_format)
    r".*?relay=(?P<relay>\S+), .*?"
    r"dsn=(?P<dsn>[245]\.\d{1,3}\.\d{1,3}), status=(?P<status>[a-z]+) \((?P<text>.*?)\)?$"
)
"""The closing parenthesis is missing where Postfix has cut a line that was too long for its log."""
_EXPIRED = re.compile(r"from=<[^>]*>, status=expired, (?P<text>.*)$")
_SERVER = re.compile(r"(?P<host>[\w.-]+)\[(?P<ip>[0-9A-Fa-f.:]+)\]")
_SAID = re.compile(r"\bsaid: (?P<code>[45]\d\d)[ -]")
"""A 2yz or 3yz that is quoted was no answer to what Postfix had asked, and is no code of its own."""
_STATES = {"sent": State.DELIVERED, "deferred": State.DEFERRED, "bounced": State.RETURNED}


class Maillog:
    """The log read so far."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, None]] = {}

    def read(self, line: str) -> list[Report]:
        """The reports that one line makes: one, none, or one a recipient given up."""
        about = _ABOUT.search(line)
        if not about:
            return []
        queue_id, rest = about["id"], about["rest"]
        if rest == "removed":
            self._waiting.pop(queue_id, None)
        elif to := _TO.match(rest):
            return self._delivery(queue_id, to)
        elif expired := _EXPIRED.match(rest):
            return [
                Report(recipient, State.EXPIRED, text=expired["text"], queue_id=queue_id)
                for recipient in self._waiting.get(queue_id, ())
            ]
        return []

    def _delivery(self, queue_id: str, to: re.Match[str]) -> list[Report]:
        """One attempt at one recipient."""
        state = _STATES.get(to["status"])
        if state is None:
            return []
        waiting = self._waiting.setdefault(queue_id, {})
        if state is State.DEFERRED:
            waiting[to["recipient"]] = None
        else:
            waiting.pop(to["recipient"], None)
        host, ip = _server(to["relay"], to["text"])
        said = _SAID.search(to["text"])
        return [
            Report(
                to["recipient"],
                state,
                smtp=int(said["code"]) if said else 0,
                enhanced=to["dsn"],
                text=to["text"],
                host=host,
                ip=ip,
                queue_id=queue_id,
            )
        ]


def _server(relay: str, text: str) -> tuple[str, str]:
    """The server's name and address: of `relay=`, or of the text if no connection came about.

    The text quotes what peers said only where there is a relay, so it cannot mislead.
    """
    found = _SERVER.search(text if relay == "none" else relay)
    return (found["host"], found["ip"]) if found else ("", "")
