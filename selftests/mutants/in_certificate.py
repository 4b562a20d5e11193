"""Mutants that the chapter certificate is there for."""

import ssl
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from ipaddress import ip_address
from typing import Any

from cryptography import x509

from model.tls import Tls
from model.verdict import Law
from selftests.mutants.mutant import Mutant
from targets.base import Route
from targets.reference import tls
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session
from targets.reference.courier import Courier
from targets.reference.outcome import Broken, Failure, Kind, Server, Stage
from targets.reference.policy import Policy
from targets.reference.tls import Contexts, matches

HERE = ("control.*", "certificate.*")
Fields = Mapping[str, Any]


class _Listless(Contexts):
    def __init__(self, ca_file: str, crl_file: str = "") -> None:
        super().__init__(ca_file)


class NoRevocation(Agent):
    """Looks at no revocation list."""

    parts = Parts(contexts=_Listless)


class _LeafOnly(Contexts):
    @cached_property
    def verifying(self) -> ssl.SSLContext:
        context = super().verifying
        context.verify_flags &= ~ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        return context


class OnlyLeavesRevoked(Agent):
    """Looks at the revocation of the host's own certificate only."""

    parts = Parts(contexts=_LeafOnly)


class _Checks(Session):
    def covers(self, fields: Fields, wanted: str) -> bool:
        """Whether a certificate is for the wanted name."""
        raise NotImplementedError

    def check_name(self, wanted: str) -> None:
        assert self._tls is not None
        if not self.covers(self._tls.getpeercert() or {}, wanted):
            self._break(Stage.HANDSHAKE, Kind.CERTIFICATE, detail=tls.MISMATCH)


class _CaseBound(_Checks):
    def covers(self, fields: Fields, wanted: str) -> bool:
        honest = [name for name in tls.names(fields) if name == name.lower()]
        return any(matches(name, wanted) for name in honest)


class _CaseBoundCourier(Courier):
    session = _CaseBound


class CaseBound(Agent):
    """Knows a name in lower case only."""

    parts = Parts(courier=_CaseBoundCourier)


class _Spanning(_Checks):
    def covers(self, fields: Fields, wanted: str) -> bool:
        return any(
            matches(name, wanted) or (name.startswith("*.") and wanted.endswith(name[1:]))
            for name in tls.names(fields)
        )


class _SpanningCourier(Courier):
    session = _Spanning


class WildcardSpansLabels(Agent):
    """Lets a wildcard stand for any number of labels."""

    parts = Parts(courier=_SpanningCourier)


class _Parental(_Checks):
    def covers(self, fields: Fields, wanted: str) -> bool:
        return any(matches(name, wanted) or name == f"*.{wanted}" for name in tls.names(fields))


class _ParentalCourier(Courier):
    session = _Parental


class WildcardCoversParent(Agent):
    """Lets a wildcard stand for no label at all."""

    parts = Parts(courier=_ParentalCourier)


class _AnyPlace(_Checks):
    def covers(self, fields: Fields, wanted: str) -> bool:
        return any(self._fits(name.split("."), wanted.split(".")) for name in tls.names(fields))

    def _fits(self, have: list[str], want: list[str]) -> bool:
        pairs = zip(have, want, strict=False)
        fitting = all(one in ("*", other) or other == "*" for one, other in pairs)
        return len(have) == len(want) and fitting


class _AnyPlaceCourier(Courier):
    session = _AnyPlace


class WildcardAnywhere(Agent):
    """Takes a wildcard for a label wherever it stands (and heeds case)."""

    parts = Parts(courier=_AnyPlaceCourier)


class _Common(_Checks):
    def covers(self, fields: Fields, wanted: str) -> bool:
        common = tls.names({"subject": fields.get("subject", ())})
        return any(matches(name, wanted) for name in [*tls.names(fields), *common])


class _CommonCourier(Courier):
    session = _Common


class CommonNameToo(Agent):
    """Looks at the common name beside alternative names."""

    parts = Parts(courier=_CommonCourier)


class _CutAtNul(_Checks):
    def covers(self, fields: Fields, wanted: str) -> bool:
        return any(matches(name.partition("\0")[0], wanted) for name in tls.names(fields))


class _CutAtNulCourier(Courier):
    session = _CutAtNul


class CutsAtNul(Agent):
    """Reads a name up to its first NUL, as C does."""

    parts = Parts(courier=_CutAtNulCourier)


class _Unicode(_Checks):
    def covers(self, fields: Fields, wanted: str) -> bool:
        return any(matches(name, wanted.encode().decode("idna")) for name in tls.names(fields))


class _UnicodeCourier(Courier):
    session = _Unicode


class UnicodeNames(Agent):
    """Compares the wanted name as people read it with A-labels."""

    parts = Parts(courier=_UnicodeCourier)


class _OfHost(_Checks):
    def covers(self, fields: Fields, wanted: str) -> bool:
        return any(matches(name, self.server.host) for name in tls.names(fields))


class _OfHostCourier(Courier):
    session = _OfHost


class NameOfHost(Agent):
    """Looks for the host's name where TlsDomain is to be looked for."""

    parts = Parts(courier=_OfHostCourier)


class _OrAddress(_Checks):
    def covers(self, fields: Fields, wanted: str) -> bool:
        own = ip_address(self.server.ip)
        named = any(matches(name, wanted) for name in tls.names(fields))
        addresses = (v for kind, v in fields.get("subjectAltName", ()) if kind == "IP Address")
        return named or own in map(ip_address, addresses)


class _OrAddressCourier(Courier):
    session = _OrAddress


class AddressForName(Agent):
    """Takes the host's address among the names for the name."""

    parts = Parts(courier=_OrAddressCourier)


class _Staples(Session):
    async def starttls(self, context: ssl.SSLContext, sni: str | None) -> None:
        await super().starttls(context, sni)
        assert self._tls is not None
        shown = x509.load_der_x509_certificate(self._tls.getpeercert(binary_form=True) or b"")
        if any(isinstance(one.value, x509.TLSFeature) for one in shown.extensions):
            self._break(Stage.HANDSHAKE, Kind.CERTIFICATE, detail=tls.UNUSABLE)


class _StaplesCourier(Courier):
    session = _Staples


class DemandsStaples(Agent):
    """Refuses whoever does not staple what its certificate promises, whatever is demanded."""

    parts = Parts(courier=_StaplesCourier)


class _Forgiving(Courier):
    word = ""

    async def prepare(self, server: Server, route: Route, *, encrypt: bool) -> Session:
        try:
            return await super().prepare(server, route, encrypt=encrypt)
        except Broken as broken:
            if broken.failure.detail != self.word:
                raise
            lax = replace(route, tls=Tls.ENCRYPT)
            return await super().prepare(server, lax, encrypt=encrypt)


class _AnyUse(_Forgiving):
    word = tls.UNUSABLE


class AnyUse(Agent):
    """Asks of no certificate what it is for, nor of an authority what it may issue."""

    parts = Parts(courier=_AnyUse)


class _Once(Courier):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.good: set[str] = set()

    async def secure(self, session: Session, route: Route) -> None:
        if session.server.ip in self.good:
            route = replace(route, tls=Tls.ENCRYPT)
        await super().secure(session, route)
        self.good.add(session.server.ip)


class TrustsOnce(Agent):
    """Looks at no certificate of a host that once had a good one."""

    parts = Parts(courier=_Once)


class _Grudge(Courier):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.bad: set[str] = set()

    async def secure(self, session: Session, route: Route) -> None:
        server = session.server
        if server.ip in self.bad:
            raise Broken(Failure(Stage.HANDSHAKE, Kind.CERTIFICATE, server, detail=tls.INVALID))
        try:
            await super().secure(session, route)
        except Broken as broken:
            if broken.failure.kind is Kind.CERTIFICATE:
                self.bad.add(server.ip)
            raise


class HoldsGrudge(Agent):
    """Never looks again at a host that once had a bad certificate."""

    parts = Parts(courier=_Grudge)


class _FirstOnly(Policy):
    def tries_next(self, failure: Failure) -> bool:
        return failure.kind is not Kind.CERTIFICATE


class FirstCertificateOnly(Agent):
    """Tries no other host when a certificate is refused."""

    parts = Parts(policy=_FirstOnly)


class _ShowsNothing(Courier):
    async def secure(self, session: Session, route: Route) -> None:
        await super().secure(session, replace(route, certificate_file="", key_file=""))


class ShowsNothing(Agent):
    """Has no certificate of its own, whatever the connector says."""

    parts = Parts(courier=_ShowsNothing)


class _Unnamed(Policy):
    def goes_unnamed(self, setting: Tls) -> bool:
        return True


class GoesUnnamed(Agent):
    """Does without its own certificate where that cannot be used, though TLS is demanded."""

    parts = Parts(policy=_Unnamed)


class _InClear(Policy):
    def falls_back(self, setting: Tls, failure: Failure) -> bool:
        return failure.kind is Kind.OWN_CERTIFICATE or super().falls_back(setting, failure)


class InClearWithoutCertificate(Agent):
    """Sends in clear where its own certificate cannot be used, though TLS is demanded."""

    parts = Parts(policy=_InClear)


class _OwnIsFinal(Policy):
    def goes_unnamed(self, setting: Tls) -> bool:
        return False

    def falls_back(self, setting: Tls, failure: Failure) -> bool:
        return False

    def is_permanent(self, failure: Failure) -> bool:
        return failure.kind is Kind.OWN_CERTIFICATE or super().is_permanent(failure)


class OwnCertificateIsFinal(Agent):
    """Returns mail because its own certificate cannot be used."""

    parts = Parts(policy=_OwnIsFinal)


DEMANDED = ("certificate.client.[mugf]*.under-[ecd]*",)
"""Where what is wrong with the agent's own certificate must not be passed over."""

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        NoRevocation,
        ("certificate.revoked.under-[cd]*", "certificate.revoked-*", "certificate.revoked.by-then"),
        Law.NO_CLEAR_TEXT,
        scope=HERE,
    ),
    Mutant(
        OnlyLeavesRevoked,
        ("certificate.revoked-intermediate.under-[cd]*",),
        Law.NO_CLEAR_TEXT,
        scope=HERE,
    ),
    Mutant(CaseBound, ("certificate.upper-case.under-domain",), scope=HERE),
    Mutant(
        WildcardSpansLabels,
        ("certificate.wildcard-two-above.under-domain",),
        Law.NO_CLEAR_TEXT,
        scope=HERE,
    ),
    Mutant(WildcardCoversParent, ("certificate.tls-domain.parent",), scope=HERE),
    Mutant(
        WildcardAnywhere,
        ("certificate.wildcard-inner.under-domain", "certificate.upper-case.under-domain"),
        Law.NO_CLEAR_TEXT,
        scope=HERE,
    ),
    Mutant(
        CommonNameToo, ("certificate.cn-beside-san.under-domain",), Law.NO_CLEAR_TEXT, scope=HERE
    ),
    Mutant(CutsAtNul, ("certificate.nul-in-name.under-domain",), Law.NO_CLEAR_TEXT, scope=HERE),
    Mutant(UnicodeNames, ("certificate.idn.under-domain",), scope=HERE),
    Mutant(
        NameOfHost,
        (
            "certificate.tls-domain.another",
            "certificate.tls-domain.met",
            "certificate.tls-domain.parent",
            "certificate.address.*name-met",
        ),
        scope=HERE,
    ),
    Mutant(
        AddressForName, ("certificate.address-only.*under-domain",), Law.NO_CLEAR_TEXT, scope=HERE
    ),
    Mutant(DemandsStaples, ("certificate.must-staple.under-encrypt",), scope=HERE),
    Mutant(
        AnyUse,
        (
            "certificate.client-only.under-[cd]*",
            "certificate.no-signing.under-[cd]*",
            "certificate.issuer-*",
            "certificate.path-*",
            "certificate.name-*",
            "certificate.unknown-critical.*",
            "certificate.sha1.*",
        ),
        Law.NO_CLEAR_TEXT,
        scope=HERE,
    ),
    Mutant(TrustsOnce, ("certificate.*.by-then",), Law.NO_CLEAR_TEXT, scope=HERE),
    Mutant(HoldsGrudge, ("certificate.*.renewed",), scope=HERE),
    Mutant(
        FirstCertificateOnly,
        (
            "certificate.expired.first-smart-host",
            "certificate.wrong-name.first-mx",
            "certificate.expired.one-of-two-behind-a-name",
        ),
        scope=HERE,
    ),
    Mutant(ShowsNothing, ("certificate.client.*",), scope=HERE),
    Mutant(GoesUnnamed, DEMANDED, scope=HERE),
    Mutant(InClearWithoutCertificate, DEMANDED, Law.NO_CLEAR_TEXT, scope=HERE),
    Mutant(OwnCertificateIsFinal, ("certificate.client.[mugf]*",), Law.CODE_CLASS, scope=HERE),
)
