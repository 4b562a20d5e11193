"""Agents that keep TLS sessions to take them up again: one that does so rightly, and wrong ones."""

import ssl
from functools import partial
from typing import Any

from model.verdict import Law
from selftests.mutants.mutant import Mutant
from targets.base import Route
from targets.reference.adapter import Adapter
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session
from targets.reference.config import Config
from targets.reference.courier import Courier
from targets.reference.outcome import Kind, Stage

SCOPE = ("control.*", "tls.resumption.*")
LATER = "certificate.*.looked-at-later"


class Keeping(ssl.SSLContext):
    """For one host: every connection offers the session of the last one.

    A ticket of TLS 1.3 comes after the handshake, so that the session is asked for when it is
    needed.
    """

    last: ssl.SSLObject | None = None
    demanding = False
    """For a wrong agent: whether there was a session before."""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """One more connection."""
        if self.last is not None:
            session = self.last.session
        self.last = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        return self.last


def context(config: Config, checked: bool) -> Keeping:
    """A context that looks at certificates, or does not."""
    made = Keeping(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    if checked:
        made.load_verify_locations(config.ca_file)
        made.load_verify_locations(config.crl_file)
        made.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
    else:
        made.verify_mode = ssl.CERT_NONE
    return made


def reused(session: Session) -> bool:
    """Whether a session of before was taken up again."""
    return session._tls is not None and bool(session._tls.session_reused)


class _Keeper(Courier):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.kept: dict[object, Keeping] = {}

    def which(self, session: Session, route: Route) -> object:
        """What a session is kept by: one must not be used where more is demanded."""
        return session.server.ip, route.tls

    async def _start_tls(self, session: Session, route: Route) -> None:
        key = self.which(session, route)
        if key not in self.kept:
            self.kept[key] = context(self._config, self._policy.checks_chain(route.tls))
        server = session.server
        await session.starttls(self.kept[key], server.host if server.host != server.ip else None)
        self.check(session, route)

    def check(self, session: Session, route: Route) -> None:
        """What is looked at when the handshake is over."""
        if self._policy.checks_name(route.tls):
            session.check_name(route.tls_domain)


class KeepsSessions(Agent):
    """Keeps sessions by host and setting, and is content if one is not taken up."""

    parts = Parts(courier=_Keeper)


Honest = partial(Adapter, f"{__name__}:{KeepsSessions.__name__}")
"""A target that does nothing wrong."""


class _ByAddress(_Keeper):
    def which(self, session: Session, route: Route) -> object:
        return session.server.ip

    def check(self, session: Session, route: Route) -> None:
        if not reused(session):
            super().check(session, route)


class HidesBehindSession(Agent):
    """Takes a session up again whatever is demanded by then, and looks at nothing."""

    parts = Parts(courier=_ByAddress)


class _Insistent(_Keeper):
    def check(self, session: Session, route: Route) -> None:
        super().check(session, route)
        kept = self.kept[self.which(session, route)]
        if kept.demanding and not reused(session):
            kept.last = None  # nor is it content with a new one
            session._break(Stage.HANDSHAKE, Kind.TLS_FAILED, detail="the session is forgotten")
        kept.demanding = True


class InsistsOnSession(Agent):
    """Goes no further with a host that does not take up its session."""

    parts = Parts(courier=_Insistent)


class _Familiar(Session):
    async def hello(self) -> None:
        if not reused(self):
            await super().hello()


class _FamiliarKeeper(_Keeper):
    session = _Familiar


class SkipsHelloAgain(Agent):
    """Says no EHLO within a session that is taken up again."""

    parts = Parts(courier=_FamiliarKeeper)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(HidesBehindSession, (LATER,), Law.NO_CLEAR_TEXT, scope=("control.*", LATER), hours=True),
    Mutant(
        InsistsOnSession,
        ("tls.resumption.other-keys", "tls.resumption.*-version"),
        scope=SCOPE,
    ),
    Mutant(SkipsHelloAgain, ("tls.resumption.possible",), Law.GREETS_AGAIN, scope=SCOPE),
)
