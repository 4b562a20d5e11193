"""What may be said when in an SMTP session, and what a command does; no sockets, no faults.

Theory of operation
-------------------
A `Transaction` is told each line (`usual` gives the honest reply) and, once a reply has been
sent, what it was (`answered`). Only a 2yz or 3yz reply changes its state, so a behaviour that
refuses a command leaves it as if the command had not come.

States: not greeted -> greeted -> sender known -> recipients known -> content, and back to greeted
(RFC 5321 section 4.1.4). What holds always: a parameter whose keyword the last EHLO reply did not
offer is refused (555), and so is content of eight bits without 8BITMIME (554), so a client that
uses what it was not offered is found out.
"""

import functools
import re
from dataclasses import dataclass, field

from model.smtp import UNKNOWN, Action, Say, Stage

HONEST = {
    Stage.GREETING: "220 {name} ESMTP",
    Stage.EHLO: "250-{name}\n250-SIZE 67108864\n250-8BITMIME\n250-ENHANCEDSTATUSCODES\n250 HELP",
    Stage.HELO: "250 {name}",
    Stage.STARTTLS: "220 2.0.0 Ready to start TLS",
    Stage.MAIL: "250 2.1.0 Sender OK",
    Stage.RCPT: "250 2.1.5 Recipient OK",
    Stage.DATA: "354 End data with <CR><LF>.<CR><LF>",
    Stage.DOT: "250 2.0.0 Stored",
    Stage.RSET: "250 2.0.0 Reset",
    Stage.NOOP: "250 2.0.0 OK",
    Stage.QUIT: "221 2.0.0 Bye",
}
"""What a blameless host says at each stage (RFC 5321 section 4.3.2)."""

ORDER = Say("503 5.5.1 Bad sequence of commands")
SYNTAX = Say("501 5.5.4 Syntax error in parameters")
NOT_OFFERED = Say("555 5.5.4 Parameter not recognised")
NOBODY = Say("554 5.5.1 No valid recipients")
EIGHT_BITS = Say("554 5.5.2 Eighth bit set, and 8BITMIME is not offered")
ENOUGH = Say("421 4.7.0 Too many errors", close=True)
PATIENCE = 20
"""Commands that a host need not know before it has had enough; a body gone astray has thousands."""
NO_SERVICE = Say("503 5.5.1 No service here")

_BY_COMMAND = (
    Stage.EHLO,
    Stage.HELO,
    Stage.STARTTLS,
    Stage.MAIL,
    Stage.RCPT,
    Stage.DATA,
    Stage.RSET,
    Stage.NOOP,
    Stage.QUIT,
)
_VERBS = {stage.upper(): stage for stage in _BY_COMMAND}
_PATH = re.compile(r'(?:FROM|TO):\s*<((?:"(?:\\.|[^"\\])*"|[^">])*)>\s*(.*)', re.IGNORECASE)
_ATOM = r'[^\x00-\x20\x7f"(),.:;<>@\[\\\]]+'
_MAILBOX = re.compile(
    rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:\\[\x20-\x7e]|[^\x00-\x1f\x7f"\\])*")'
    rf"(?:@(?:{_ATOM}(?:\.{_ATOM})*|\[[^\[\]\\]+\]))?"
)
"""RFC 5321 section 4.1.2, and beyond ASCII RFC 6531 section 3.3; `postmaster` has no domain."""
_NEEDS = {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8", "RET": "DSN"}
_NEEDS |= dict.fromkeys(("ENVID", "NOTIFY", "ORCPT"), "DSN")
_NEEDS |= {"REQUIRETLS": "REQUIRETLS", "AUTH": "AUTH", "MT-PRIORITY": "MT-PRIORITY"}
"""The EHLO keyword that each parameter needs (RFC 1870, 6152, 6531, 3461, 8689, 4954, 6710)."""


@functools.lru_cache(maxsize=16384)
def honest(name: str, stage: Stage, tls: bool) -> Say:
    """What a blameless host of that name says where nothing is wrong."""
    text = HONEST[stage].format(name=name)
    if stage is Stage.EHLO and not tls:
        text = text.replace("\n250 HELP", "\n250-STARTTLS\n250 HELP")
    return Say(text)


@dataclass(frozen=True, slots=True)
class Mail:
    """A message with its envelope; `wire` is the content with its dots still doubled."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    wire: bytes


@dataclass(slots=True)
class Transaction:
    """One session's state, for the host `name`."""

    name: str
    wire: bytes = b""
    chunk: int = 0
    _refused: bool = False
    _greeted: bool = False
    _offered: frozenset[str] = frozenset()
    _sender: str | None = None
    _recipients: list[str] = field(default_factory=list)
    _chunks: list[bytes] = field(default_factory=list)
    _last: bool = False
    _line: str = ""
    _unknown: int = 0

    @property
    def taken(self) -> int:
        """How many recipients have been taken so far."""
        return len(self._recipients)

    def stage_of(self, line: str, only_look: bool = False) -> Stage:
        """The stage that a line opens; BODY for a BDAT that is offered, OTHER for the unknown."""
        verb, _, rest = line.partition(" ")
        stage = _VERBS.get(verb.upper(), Stage.OTHER)
        if stage is Stage.OTHER and verb.upper() == "BDAT" and not only_look:
            return self._bdat(rest)
        return stage

    def usual(self, stage: Stage, line: str, tls: bool) -> Action:
        """What a blameless host says."""
        self._line = line
        if self._refused and stage is not Stage.QUIT:
            return NO_SERVICE  # RFC 5321 section 3.1, after a 554 greeting
        wrong = self._wrong(stage, line, tls)
        if wrong is not None:
            return wrong
        return honest(self.name, stage, tls)

    def _wrong(self, stage: Stage, line: str, tls: bool) -> Action | None:
        """What a blameless host objects to."""
        match stage:
            case Stage.OTHER:
                self._unknown += 1
                return UNKNOWN if self._unknown <= PATIENCE else ENOUGH
            case Stage.STARTTLS if tls:
                return ORDER
            case Stage.MAIL:
                if not self._greeted or self._sender is not None:
                    return ORDER
                return self._wrong_path(line)
            case Stage.RCPT:
                return ORDER if self._sender is None else self._wrong_path(line)
            case Stage.DATA if self._sender is None:
                return ORDER
            case Stage.DATA if not self._recipients:
                return NOBODY
            case Stage.DOT if not self.wire.isascii() and "8BITMIME" not in self._offered:
                return EIGHT_BITS
        return None

    def _wrong_path(self, line: str) -> Action | None:
        found = _PATH.search(line)
        if found is None or (found[1] and not _MAILBOX.fullmatch(found[1])):
            return SYNTAX
        for word in found[2].split():
            needed = _NEEDS.get(word.partition("=")[0].upper(), "?")
            if needed not in self._offered:
                return NOT_OFFERED
        return None

    def answered(self, stage: Stage, text: str, done: bool) -> None:
        """A reply has been sent; `done`: the command is carried out."""
        if stage is Stage.GREETING:
            self._refused = not done
        elif done:
            self._carry_out(stage, text)

    def _carry_out(self, stage: Stage, text: str) -> None:
        match stage:
            case Stage.EHLO | Stage.HELO:
                self._forget_mail()
                self._greeted = True
                words = (line[4:].split(" ")[0].upper() for line in text.split("\n")[1:])
                self._offered = frozenset(words) if stage is Stage.EHLO else frozenset()
            case Stage.STARTTLS:
                self._forget_mail()
                self._greeted, self._offered = False, frozenset()
            case Stage.MAIL:
                self._sender = _address(self._line)
            case Stage.RCPT:
                self._recipients.append(_address(self._line))
            case Stage.DOT | Stage.RSET:
                self._forget_mail()

    def _forget_mail(self) -> None:
        self._sender, self._recipients, self._chunks = None, [], []

    def mail(self) -> Mail:
        """The message that is about to be stored."""
        content = b"".join(self._chunks) if self._last else unstuffed(self.wire)
        wire = b"" if self._last else self.wire
        return Mail(self._sender or "", tuple(self._recipients), content, wire)

    # BDAT (RFC 3030) -------------------------------------------------------------------------

    def _bdat(self, rest: str) -> Stage:
        size, _, last = rest.strip().partition(" ")
        if "CHUNKING" not in self._offered or not size.isdigit() or not self._recipients:
            return Stage.OTHER
        self.chunk, self._last = int(size), last.strip().upper() == "LAST"
        return Stage.BODY

    def add_chunk(self, octets: bytes) -> bool:
        """Take a chunk in; whether it was the last."""
        self._chunks.append(octets)
        self.chunk = 0
        return self._last


def unstuffed(wire: bytes) -> bytes:
    """The content, its doubled dots undone (RFC 5321 section 4.5.2)."""
    return (wire[1:] if wire.startswith(b".") else wire).replace(b"\r\n.", b"\r\n")


def _address(line: str) -> str:
    found = _PATH.search(line)
    return found[1] if found else ""
