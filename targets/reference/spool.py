"""The spool: what the agent must not forget, in one file that outlives its process.

Theory of operation
-------------------
The journal is a file of lines, and only ever grows while mail waits. A line is a list of entries,
and is kept as a whole or not at all: the last line counts only if its end is there. Entries are

    ["clock", seconds]      how far the clock has been moved ahead, in all
    ["message", {...}]      a message taken on
    ["parcel", {...}]       the state of a parcel: it replaces what was said of that parcel before
    ["say", {...}]          a report that is about to be said
    ["said", null]          all reports up to here have been said
    ["reports", number]     how many there have been, in a journal that was written anew

A message is gone when no parcel of it is left, and a parcel when nobody in it waits. What a line
tells of belongs together: a message and its parcels; a recipient given up and the NDR about it.

A line is handed to the kernel before `submit` answers and before anything follows from it. That
outlives SIGKILL. It is not forced onto the disk (no fsync), so a power cut may lose mail. A report
is said after the line with its fate, so that whoever heard it can rely on it. One of which the
journal does not know whether it was said is said at the next start, unless whoever starts the agent
knows that it has heard so many (`heard`).

Where a line cannot be written, the disk being full, a message is not taken on; whatever else the line was to
tell of has happened all the same, and is written with the next line. Until then it is in memory only.

A spool belongs to one process at a time, which holds a lock on it. At the start the journal is
written anew without what is over, and so it is when nothing waits and it has grown; each time to a
second file that then takes the place of the first.
"""

import base64
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from model.report import Report, Source, State
from model.wishes import Wishes
from targets.reference.clock import Clock
from targets.reference.outcome import Failure, Kind, Reply, Sent, Server, Stage
from targets.reference.queue import Forgetful, Keeper, Message, Parcel

MOST_IDLE = 1 << 20
"""Octets of a journal in which nothing waits before it is written anew."""

Entry = list[Any]
Values = Mapping[str, Any]
Name = tuple[str, str]
"""A parcel's: the queue id of its message, and the domain."""
_BAD = (ValueError, TypeError, KeyError, AttributeError)
"""What comes of reading what is not there, or is something else."""
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class SpoolError(ValueError):
    """The spool cannot be used; the message is one sentence with the remedy."""


class Spool:
    """The keeper (`queue.Keeper`) with a journal in `folder`, which is made if it is not there."""

    def __init__(self, folder: str, say: Callable[[Report], None], heard: int = 0) -> None:
        """Raises SpoolError if another process has the spool, OSError if it cannot be written."""
        self._path = Path(folder) / "journal"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._path.with_name("lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise SpoolError(
                f"the spool {folder} is in use by another process; stop that one, or give another"
            ) from None
        self._file = os.open(self._path, _APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        self._open: set[Name] = set()
        self._offset = 0.0
        self._entries: list[Entry] = []
        self._deep = 0
        self._say = say
        self._heard = heard
        self._reports = 0
        self._unsaid: list[Report] = []

    def restore(self, clock: Clock) -> list[Parcel]:
        """Set the clock as it was, and give back what waits. Raises SpoolError if it is damaged.

        Times are kept as dates, so that what waits has grown older while no process was there.
        """
        try:
            return self._restore(clock)
        except SpoolError:
            self.close()
            raise

    def _restore(self, clock: Clock) -> list[Parcel]:
        messages, parcels = self._read()
        clock.advance(max(0.0, self._offset - clock.offset))
        self._offset = clock.offset
        waiting = []
        known: dict[str, Message] = {}
        for (queue_id, domain), values in parcels.items():
            try:
                if queue_id not in known:
                    known[queue_id] = _message(messages[queue_id], clock)
                waiting.append(_parcel(known[queue_id], values, clock))
            except _BAD as error:
                raise self._damaged(f"message {queue_id} for {domain}", error) from error
        said = self._reports - len(self._unsaid)
        for report in self._unsaid[max(0, self._heard - said) :]:
            self._say(report)
        self._unsaid.clear()
        self._begin(waiting)
        return waiting

    def close(self) -> None:
        """Let go of the spool."""
        os.close(self._file)
        os.close(self._lock)

    # What is kept

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is written in its context is one line."""
        self._deep += 1
        try:
            yield
        finally:
            self._deep -= 1
            if not self._deep:
                self._end()

    def report(self, report: Report) -> None:
        """Say this when the line is written."""
        with self.together():
            self._unsaid.append(report)
            self._reports += 1
            self._write(["say", report.values()])

    def moved(self, clock: Clock) -> None:
        """The clock has been moved ahead."""
        self._offset = clock.offset
        self._write(["clock", self._offset])

    def took(self, message: Message, parcels: Sequence[Parcel]) -> None:
        """A message has been taken on. If it cannot be written (OSError), it has not."""
        first = len(self._entries)
        try:
            with self.together():
                self._write(["message", _of_message(message)])
                for parcel in parcels:
                    self.changed(parcel)
        except OSError:
            del self._entries[first:]
            self._open.difference_update(map(_name, parcels))
            raise

    def changed(self, parcel: Parcel) -> None:
        """The state of a parcel has changed."""
        if parcel.waiting:
            self._open.add(_name(parcel))
        else:
            self._open.discard(_name(parcel))
        self._write(["parcel", _of_parcel(parcel)])

    # The file

    def _write(self, entry: Entry) -> None:
        with self.together():
            self._entries.append(entry)

    def _end(self) -> None:
        try:
            self._flush()
        finally:
            self._say_all()

    def _say_all(self) -> None:
        unsaid, self._unsaid = self._unsaid, []
        for report in unsaid:
            self._say(report)
        if unsaid:
            self._write(["said", None])

    def _flush(self) -> None:
        if not self._entries:
            return
        try:
            self._size += _put(self._file, self._entries)
        except OSError:
            os.ftruncate(self._file, self._size)  # no half line must stand before the next one
            raise
        self._entries = []
        if not (self._open or self._unsaid) and self._size > MOST_IDLE:
            self._begin(())

    def _begin(self, parcels: Sequence[Parcel]) -> None:
        """Write the journal anew, with what waits in these."""
        fresh = self._path.with_name("journal.new")
        messages = {parcel.message.queue_id: parcel.message for parcel in parcels}
        file = os.open(fresh, _APPEND | os.O_TRUNC, 0o600)
        try:
            size = _put(file, [["clock", self._offset], ["reports", self._reports]])
            for message in messages.values():
                size += _put(file, [["message", _of_message(message)]])
            for parcel in parcels:
                size += _put(file, [["parcel", _of_parcel(parcel)]])
            fresh.replace(self._path)
        except OSError:
            os.close(file)
            raise
        os.close(self._file)
        self._file, self._size = file, size
        self._open = set(map(_name, parcels))

    def _read(self) -> tuple[dict[str, Values], dict[Name, Values]]:
        """The messages by queue id, and the parcels in which somebody waits by name."""
        messages: dict[str, Values] = {}
        parcels: dict[Name, Values] = {}
        whole, _, _ = self._path.read_bytes().rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if whole else (), start=1):
            try:
                for kind, values in json.loads(line):
                    if kind == "clock":
                        self._offset = float(values)
                    elif kind == "message":
                        messages[values["id"]] = values
                    elif kind == "say":
                        self._reports += 1
                        self._unsaid.append(_report(values))
                    elif kind == "reports":
                        self._reports = int(values)
                    elif kind == "said":
                        self._unsaid.clear()
                    elif values["waiting"]:
                        parcels[values["id"], values["domain"]] = values
                    else:
                        parcels.pop((values["id"], values["domain"]), None)
            except _BAD as error:
                raise self._damaged(f"line {number}", error) from error
        return messages, parcels

    def _damaged(self, where: str, error: Exception) -> SpoolError:
        return SpoolError(
            f"the spool {self._path} is damaged ({where}: {type(error).__name__}); "
            "mend it, or move it away and lose the mail that waits in it"
        )


def keeper(folder: str, say: Callable[[Report], None], heard: int) -> Keeper:
    """The keeper for a spool folder; where none is given the queue is in memory only."""
    return Spool(folder, say, heard) if folder else Forgetful(say)


def _name(parcel: Parcel) -> Name:
    return parcel.message.queue_id, parcel.domain


def _put(file: int, entries: Sequence[Entry]) -> int:
    """Hand a line to the kernel, whole; its octets."""
    line = json.dumps(entries, separators=(",", ":")).encode() + b"\n"
    left = memoryview(line)
    while left:
        left = left[os.write(file, left) :]
    return len(line)


# Values and what stands for them in the journal


def _of_message(message: Message) -> dict[str, Any]:
    wishes = message.wishes
    return {
        "id": message.queue_id,
        "sender": message.sender,
        "recipients": message.recipients,
        "content": base64.b64encode(message.content).decode("ascii"),
        "date": message.date.isoformat(),
        "wishes": [wishes.notify, wishes.ret, wishes.envid, wishes.orcpt],
    }


def _message(values: Values, clock: Clock) -> Message:
    """The message; when it came, by the clock of this process, follows from the date."""
    date = datetime.fromisoformat(values["date"])
    notify, ret, envid, orcpt = values["wishes"]
    return Message(
        values["id"],
        values["sender"],
        tuple(values["recipients"]),
        base64.b64decode(values["content"]),
        _by_clock(date, clock),
        date,
        Wishes(tuple(notify), ret, envid, orcpt),
    )


def _by_clock(date: datetime, clock: Clock) -> float:
    """What the clock showed at a date, if this process was already there."""
    return clock.now() - (clock.date() - date).total_seconds()


def _of_parcel(parcel: Parcel) -> dict[str, Any]:
    """The state of a parcel; of one in which nobody waits there is nothing more to know."""
    name = {"id": parcel.message.queue_id, "domain": parcel.domain, "waiting": parcel.waiting}
    if not parcel.waiting:
        return name
    return {
        **name,
        "lifetime": parcel.lifetime,
        "attempts": parcel.attempts,
        "attempted": parcel.attempted.isoformat(),
        "last": {r: _of_failure(parcel.last[r]) for r in parcel.waiting if r in parcel.last},
        "taken": {r: _of_sent(sent) for r, sent in parcel.taken.items()},
        "warned": parcel.warned,
    }


def _parcel(message: Message, values: Values, clock: Clock) -> Parcel:
    attempted = datetime.fromisoformat(values["attempted"])
    return Parcel(
        message,
        values["domain"],
        float(values["lifetime"]),
        list(values["waiting"]),
        attempted,
        int(values["attempts"]),
        {recipient: _failure(one) for recipient, one in values["last"].items()},
        tried=_by_clock(attempted, clock),
        taken={recipient: _sent(one) for recipient, one in values["taken"].items()},
        warned=bool(values["warned"]),
    )


def _of_failure(failure: Failure) -> list[Any]:
    reply = failure.reply and [failure.reply.code, failure.reply.text]
    return [failure.stage, failure.kind, _of_server(failure.server), reply, failure.detail]


def _failure(values: Sequence[Any]) -> Failure:
    stage, kind, server, reply, detail = values
    return Failure(
        Stage(stage), Kind(kind), Server(*server), None if reply is None else Reply(*reply), detail
    )


def _of_sent(sent: Sent) -> list[Any]:
    return [_of_server(sent.server), [sent.reply.code, sent.reply.text], sent.told]


def _sent(values: Sequence[Any]) -> Sent:
    server, reply, told = values
    return Sent(Server(*server), Reply(*reply), told)


def _report(values: Values) -> Report:
    return Report(**{**values, "state": State(values["state"]), "source": Source(values["source"])})


def _of_server(server: Server) -> list[Any]:
    return [server.host, server.ip, server.port]
