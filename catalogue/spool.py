"""The disk that the agent's queue is on is full for a while: what was taken is kept, new mail is put off."""

from catalogue.control import around
from catalogue.rules import NO_ROOM, NOT_LOST_FOR_SHORTAGE, TRANSIENT
from model.behaviours import Reply
from model.expect import AnyOf, Arrives, Delivers, Each, Fails, PutOff, Turns
from model.failure import Cause, Failure
from model.scenario import Change, Host, Mail, Scenario
from model.shortage import Shortage
from model.smtp import Stage

LARGER_THAN_A_BLOCK = 20_000
"""Octets: no file has so much room left in its last block."""
LARGE = 400_000
"""Octets: more than is left on a disk that is nearly full."""
LATER = "450 4.2.1 Later"
NOBODY = "550 5.1.1 No such user here"

SCENARIOS = around(
    "spool",
    (
        Scenario(
            id="spool.full.new-mail",
            title="The agent's disk is full: new mail is put off, and taken when there is room",
            rule=NO_ROOM,
            mail=Mail(meanwhile="new", octets=LARGER_THAN_A_BLOCK),
            short_of=Shortage.DISK_FULL,
            expect=Each((("user", Delivers()), ("new", PutOff()))),
        ),
        Scenario(
            id="spool.full.waiting",
            title="Mail waits when the disk is filled up: it leaves nevertheless, or later, once",
            rule=NOT_LOST_FOR_SHORTAGE,
            hosts=(Host(behaviours=(Reply(Stage.MAIL, LATER, times=20),)),),
            mail=Mail(messages=20),
            short_of=Shortage.DISK_FULL,
            expect=Arrives(),
        ),
        Scenario(
            id="spool.full.fails-again",
            title="Mail fails once more while the disk is full: it is kept, and leaves later",
            rule=TRANSIENT,
            hosts=(Host(behaviours=(Reply(Stage.MAIL, LATER, times=40),)),),
            mail=Mail(messages=20),
            short_of=Shortage.DISK_FULL,
            expect=Arrives(),
        ),
        Scenario(
            id="spool.full.ndr",
            title="Mail is refused for good while the disk is full: its sender is told, once",
            rule=NOT_LOST_FOR_SHORTAGE,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, LATER),)),),
            mail=Mail(octets=LARGER_THAN_A_BLOCK),
            change=Change(hosts=(Host(behaviours=(Reply(Stage.RCPT, NOBODY),)),)),
            short_of=Shortage.DISK_FULL,
            expect=Turns(
                Fails(Cause(Failure.PEER_REPLY, "transient"), LATER),
                Fails(Cause(Failure.PEER_REPLY, "permanent"), NOBODY),
            ),
            told=("failed",),
        ),
        Scenario(
            id="spool.nearly-full.large-mail",
            title="There is room for a small message, not for this one: it is put off, not cut short",
            rule=NO_ROOM,
            mail=Mail(meanwhile="new", octets=LARGE),
            short_of=Shortage.DISK_NEARLY_FULL,
            expect=Each((("user", Delivers()), ("new", PutOff()))),
        ),
        Scenario(
            id="spool.no-inodes.new-mail",
            title="No file more can be made: new mail is put off, if it would need one",
            rule=NO_ROOM,
            mail=Mail(meanwhile="new", octets=LARGER_THAN_A_BLOCK),
            short_of=Shortage.NO_INODES,
            expect=Each((("user", Delivers()), ("new", AnyOf(PutOff(), Arrives())))),
        ),
        Scenario(
            id="spool.no-inodes.waiting",
            title="Mail waits when the inodes are used up: it leaves nevertheless, or later, once",
            rule=NOT_LOST_FOR_SHORTAGE,
            hosts=(Host(behaviours=(Reply(Stage.MAIL, LATER, times=20),)),),
            mail=Mail(messages=20),
            short_of=Shortage.NO_INODES,
            expect=Arrives(),
        ),
    ),
)
