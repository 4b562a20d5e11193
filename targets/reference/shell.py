"""Commands for a person, one a line, that an organization's agent carries out.

Theory of operation
-------------------
The shell reads a line, does what it says, waits until every attempt that this caused is over, and
prints what came of it: as text, or as one JSON object a line. Warnings are printed as they come. A
command that cannot be carried out is answered by one sentence, and counted.
"""

import json
import re
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from model.address import canonical
from model.connector_file import BadConnectors
from model.connectors import DomainType, NotThere, Organization
from targets.base import NotTaken
from targets.reference import show
from targets.reference.intelligence import Alert, plain
from targets.reference.organization import TRACE_KEPT, OrganizationAgent
from targets.reference.rules import NotFixable

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 9999.0
"""Days of one length of time: as many as a connector file may have; dates end some thousand years on."""
MOST = 10_000
"""Messages of one `many`."""

Write = Callable[[str], None]
"""Takes one text to be printed."""


class BadCommand(ValueError):
    """A command that cannot be carried out; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a command: for a person, and for a machine."""

    text: str
    value: Any = None


HELP = """\
submit FROM TO [TO ...]      hand a message in; FROM may be <>
many N FROM TO               hand N messages in
queue                        what waits, by connector: error, how to fix, who must act
messages                     every message that waits
trace [MESSAGE|ADDRESS] [N]  the message trace, or its last N lines
alerts                       the warnings that are in order now
quota                        what counts against the invalid-recipient quota
connectors                   connectors, accepted domains, and which mail goes where
mailbox [ADDRESS]            mailboxes here, or the mail in one of them
pass LENGTH                  let time pass: 30s, 5m, 47h, 2d
retry [MESSAGE ...]          try messages again now; all, if none is named
fix-now CONNECTOR            disable it and make its relay domains authoritative
enable CONNECTOR             switch a connector on
disable CONNECTOR            switch a connector off
domain NAME TYPE             make an accepted domain Authoritative, InternalRelay, ExternalRelay
reload                       read the connector file again
json on|off                  answer as JSON, one object a line
help                         this
quit                         end"""


class Shell:
    """Carries out commands; `load` reads the connector file anew."""

    def __init__(self, write: Write, load: Callable[[], Organization], as_json: bool) -> None:
        self._write = write
        self._load = load
        self._json = as_json
        self._commands: dict[str, Callable[..., Awaitable[Said]]] = {
            "submit": self._submit,
            "many": self._many,
            "queue": self._queue,
            "messages": self._messages,
            "trace": self._trace,
            "alerts": self._alerts,
            "quota": self._quota,
            "connectors": self._connectors,
            "mailbox": self._mailbox,
            "pass": self._pass,
            "retry": self._retry,
            "fix-now": self._fix_now,
            "enable": self._enable,
            "disable": self._disable,
            "domain": self._domain,
            "reload": self._reload,
            "json": self._set_json,
            "help": self._help,
        }
        self.agent: OrganizationAgent
        self.mistakes = 0

    async def obey(self, line: str) -> bool:
        """Carry out one line; whether there may be more."""
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            self._complain(f"{line.strip()!r} cannot be read ({error}); close what you opened")
            return True
        if words and words[0] in ("quit", "exit"):
            return False
        if words:
            await self._carry_out(*words)
        return True

    async def _carry_out(self, verb: str, *words: str) -> None:
        command = self._commands.get(verb)
        try:
            if command is None:
                raise BadCommand(f"there is no command {verb!r}; `help` lists them")
            said = await command(*words)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise  # ours, from inside the command
            self._complain(f"{verb} is given wrong; {usage(verb)}")
        except (BadCommand, BadConnectors, NotThere, NotFixable) as error:
            self._complain(str(error))
        else:
            self._say({"command": verb, "ok": plain(said.value)}, said.text)

    def warn(self, alert: Alert) -> None:
        """Print a warning."""
        self._say({"alert": plain(alert)}, f"WARNING  {alert.text}")

    def _complain(self, sentence: str) -> None:
        self.mistakes += 1
        self._say({"error": sentence}, f"error: {sentence}")

    def _say(self, value: Any, text: str) -> None:
        self._write(json.dumps(value) if self._json else text)

    # Mail

    async def _submit(self, sender: str, first: str, *others: str) -> Said:
        names = [self._hand_in(sender, (first, *others))]
        await self.agent.at_rest()
        lines = self.agent.trace(names[0])
        return Said(show.trace(lines), {"message": names[0], "trace": lines})

    async def _many(self, number: str, sender: str, recipient: str) -> Said:
        if not number.isdecimal() or not 1 <= int(number) <= MOST:
            raise BadCommand(f"{number!r} is no number of messages; give one from 1 to {MOST}")
        names = [self._hand_in(sender, (recipient,)) for _ in range(int(number))]
        await self.agent.at_rest()
        return Said(f"{len(names)} messages handed in", {"messages": names})

    def _hand_in(self, sender: str, recipients: tuple[str, ...]) -> str:
        for address in recipients:
            _check_address(address)
        sender = "" if sender == "<>" else sender
        if sender:
            _check_address(sender)
        to = ", ".join(recipients)
        content = f"From: {sender or 'postmaster'}\r\nTo: {to}\r\nSubject: test\r\n\r\nA test.\r\n"
        try:
            return self.agent.submit(sender, recipients, content.encode())
        except NotTaken as refusal:
            raise BadCommand(f"the message is not taken: {refusal}") from refusal

    async def _retry(self, *names: str) -> Said:
        waiting = dict.fromkeys(each.message.queue_id for each in self.agent.queue.view())
        for name in names:
            if name not in waiting:
                raise BadCommand(f"no message {name!r} waits; `messages` lists those that do")
        tried = names or tuple(waiting)
        self.agent.retry(*tried)
        await self.agent.at_rest()
        return Said(f"{len(tried)} tried; {self._left()}", {"tried": tried})

    async def _pass(self, length: str) -> Said:
        await self.agent.pass_time(seconds(length))
        now = self.agent.clock.date()
        return Said(f"it is {now:%Y-%m-%d %H:%M:%S}Z; {self._left()}", {"now": now})

    def _left(self) -> str:
        return f"{len(self.agent.waiting())} waiting"

    # Looking

    async def _queue(self) -> Said:
        reports = self.agent.queue_reports()
        return Said(show.queue(reports), reports)

    async def _messages(self) -> Said:
        view = self.agent.queue.view()
        value = [
            {
                "message": each.message.queue_id,
                "from": each.message.sender,
                "to": each.recipients,
                "attempts": each.attempts,
            }
            for each in view
        ]
        return Said(show.messages(view), value)

    async def _trace(self, wanted: str = "", last: str = "") -> Said:
        if wanted.isdecimal() and not last:
            wanted, last = "", wanted
        if last and (not last.isdecimal() or not int(last)):
            raise BadCommand(f"{last!r} is no number of lines; give one from 1 on")
        lines = self.agent.trace(wanted)[-int(last or TRACE_KEPT) :]
        if wanted and not lines:
            raise BadCommand(f"the trace knows neither message nor recipient {wanted!r}")
        return Said(show.trace(lines), lines)

    async def _alerts(self) -> Said:
        found = self.agent.alerts()
        return Said(show.alerts(found), found)

    async def _quota(self) -> Said:
        found = self.agent.quotas()
        return Said(show.quotas(found), found)

    async def _connectors(self) -> Said:
        found = self.agent.organization
        return Said(show.organization(found), show.words(found))

    async def _mailbox(self, address: str = "") -> Said:
        boxes = self.agent.mailboxes
        if not address:
            counts = {name: len(mails) for name, mails in boxes.items()}
            return Said(show.table(("mailbox", "messages"), counts.items()), counts)
        name = canonical(address).lower()
        if name not in boxes:
            raise BadCommand(f"no mail has come for {address!r} here")
        mails = [mail.decode("utf-8", "replace") for mail in boxes[name]]
        return Said("\n".join(mail.replace("\r\n", "\n") for mail in mails), mails)

    # Changing

    async def _fix_now(self, *name: str) -> Said:
        domains = self.agent.fix_now(" ".join(name))
        await self.agent.at_rest()
        changed = f"{', '.join(domains)} authoritative" if domains else "no relay domain to change"
        return Said(f"connector off; {changed}; {self._left()}", {"domains": domains})

    async def _enable(self, *name: str) -> Said:
        return await self._switch(" ".join(name), True)

    async def _disable(self, *name: str) -> Said:
        return await self._switch(" ".join(name), False)

    async def _switch(self, name: str, on: bool) -> Said:
        self.agent.switch(name, on)
        await self.agent.at_rest()
        return Said(f"connector {'on' if on else 'off'}; {self._left()}", {"enabled": on})

    async def _domain(self, name: str, kind: str) -> Said:
        if kind not in list(DomainType):
            raise BadCommand(f"there is no type {kind!r}; choose one of {', '.join(DomainType)}")
        self.agent.retype(name, DomainType(kind))
        await self.agent.at_rest()
        return Said(f"{name} is {kind}; {self._left()}", {"domain": name, "type": kind})

    async def _reload(self) -> Said:
        self.agent.reform(self._load())
        await self.agent.at_rest()
        return Said(f"read again; {self._left()}", show.words(self.agent.organization))

    async def _set_json(self, on: str) -> Said:
        if on not in ("on", "off"):
            raise BadCommand(f"json is on or off, not {on!r}")
        self._json = on == "on"
        return Said(f"json is {on}", on)

    async def _help(self) -> Said:
        return Said(HELP, HELP.splitlines())


def usage(verb: str) -> str:
    """How a command is written."""
    line = next(line for line in HELP.splitlines() if line.split()[0] == verb)
    return f"write {line[:29].strip()}"


def seconds(length: str) -> float:
    """A length of time in seconds. Raises BadCommand."""
    found = _LENGTH.fullmatch(length)
    if found is None:
        raise BadCommand(f"{length!r} is no length of time; write it like 30s, 5m, 47h or 2d")
    length_s = float(found[1]) * _SECONDS[found[2]]
    if length_s > LONGEST * _SECONDS["d"]:
        raise BadCommand(f"{length!r} is too long a time; give {LONGEST:.0f}d at most")
    return length_s


def _check_address(address: str) -> None:
    local, _, domain = address.rpartition("@")
    if not local or not domain or any(c.isspace() or c in "<>" for c in address):
        raise BadCommand(f"{address!r} is no address; write it like anna@contoso.test")
