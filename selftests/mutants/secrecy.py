"""Mutants that are careless about TLS and certificates."""

import ssl
from dataclasses import replace
from functools import cached_property

from model.tls import Tls
from model.verdict import Law
from selftests.mutants.mutant import Mutant
from selftests.mutants.where import both, demands_tls, is_checked, leaves_tls_open, shows_a_flaw
from targets.base import Route
from targets.reference import tls
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session
from targets.reference.courier import Courier
from targets.reference.outcome import Broken, Failure, Kind, Server, Stage
from targets.reference.policy import Policy
from targets.reference.tls import Contexts

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME (X509_VERIFY_PARAM_set_flags(3)); the module ssl has no word for it."""


class _Timeless(Contexts):
    @cached_property
    def verifying(self) -> ssl.SSLContext:
        context = super().verifying
        context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
        return context


class Timeless(Agent):
    """Does not look at the time in which a certificate is valid."""

    parts = Parts(contexts=_Timeless)


class _Nameless(Policy):
    def checks_name(self, setting: Tls) -> bool:
        return False


class AnyName(Agent):
    """Does not look at the name in a certificate."""

    parts = Parts(policy=_Nameless)


class _Chainless(Policy):
    def checks_chain(self, setting: Tls) -> bool:
        return setting is Tls.DOMAIN


class AnyChain(Agent):
    """Does not look at the certificate under CertificateValidation."""

    parts = Parts(policy=_Chainless)


class _AnyRoot(Courier):
    async def prepare(self, server: Server, route: Route, *, encrypt: bool) -> Session:
        try:
            return await super().prepare(server, route, encrypt=encrypt)
        except Broken as broken:
            if broken.failure.detail != tls.UNTRUSTED:
                raise
            lax = replace(route, tls=Tls.ENCRYPT)
            return await super().prepare(server, lax, encrypt=encrypt)


class AnyRoot(Agent):
    """Accepts certificates that are self-signed, or signed by whomever."""

    parts = Parts(courier=_AnyRoot)


class _Demanding(Policy):
    def checks_name(self, setting: Tls) -> bool:
        return setting in (Tls.CERTIFICATE, Tls.DOMAIN)


class NameUnderCertificate(Agent):
    """Wants TlsDomain in the certificate where only its chain is to be looked at."""

    parts = Parts(policy=_Demanding)


class _FallsBack(Policy):
    def falls_back(self, setting: Tls, failure: Failure) -> bool:
        return failure.stage in (Stage.STARTTLS, Stage.HANDSHAKE)


class FallsBack(Agent):
    """Sends in clear when TLS is required and cannot be had."""

    parts = Parts(policy=_FallsBack)


class _GivesUp(Courier):
    async def _start_tls(self, session: Session, route: Route) -> None:
        try:
            await super()._start_tls(session, route)
        except Broken as broken:
            if broken.failure.kind is not Kind.TLS_REFUSED:
                raise


class GivesUpTls(Agent):
    """Goes on in clear after a 454 to STARTTLS, though TLS is required."""

    parts = Parts(courier=_GivesUp)


class _Hasty(Courier):
    async def secure(self, session: Session, route: Route) -> None:
        if self._policy.demands_tls(route.tls):
            await session._say(Stage.MAIL, "MAIL FROM:<early@outbound.reference.test>")
        await super().secure(session, route)


class Hasty(Agent):
    """Says who the sender is before it starts TLS."""

    parts = Parts(courier=_Hasty)


class _Asks(Courier):
    async def secure(self, session: Session, route: Route) -> None:
        if self._policy.demands_tls(route.tls):
            await session._say(Stage.RSET, f"VRFY user@{route.domain}")
        await super().secure(session, route)


class AsksForTheMailbox(Agent):
    """Asks for a mailbox by VRFY before it starts TLS."""

    parts = Parts(courier=_Asks)


class _Strict(Policy):
    def demands_tls(self, setting: Tls) -> bool:
        return True


class AlwaysTls(Agent):
    """Wants TLS where nobody asked for it."""

    parts = Parts(policy=_Strict)


FLAWED = both(is_checked, shows_a_flaw)
"""Where a certificate that is not as it should be is looked at."""

MUTANTS = (
    Mutant(Timeless, (FLAWED,), Law.NO_CLEAR_TEXT),
    Mutant(AnyName, (FLAWED,), Law.NO_CLEAR_TEXT),
    Mutant(AnyChain, (FLAWED,), Law.NO_CLEAR_TEXT),
    Mutant(AnyRoot, (FLAWED,), Law.NO_CLEAR_TEXT),
    # Under CERTIFICATE any name will do: of a flawed certificate, or of the second smart host.
    Mutant(NameUnderCertificate, (is_checked,)),
    Mutant(FallsBack, (demands_tls,), Law.NO_CLEAR_TEXT),
    Mutant(GivesUpTls, (demands_tls,), Law.NO_CLEAR_TEXT),
    Mutant(Hasty, (demands_tls,), Law.NO_CLEAR_TEXT),
    Mutant(AsksForTheMailbox, (demands_tls,), Law.NO_CLEAR_TEXT, scope=("control.*", "tls.*")),
    # Not where a host without TLS has its fault further on: it never gets there.
    Mutant(
        AlwaysTls,
        (leaves_tls_open,),
        scope=("control.*", "connect.*", "greeting.*", "tls.*", "middlebox.*", "hosts.*"),
    ),
)
