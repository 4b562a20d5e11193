"""4.4.317: the connector requires TLS, and the server does not come up to it."""

from catalogue import rules
from catalogue.control import around
from catalogue.rules import (
    CERTIFICATE_VALIDATION,
    DELIVER,
    DOMAIN_VALIDATION,
    ENCRYPTION_ONLY,
    EVERY_ATTEMPT,
    NEXT_HOST,
    OPPORTUNISTIC,
    P317,
    P318,
    STARTTLS_REPLY,
)
from model.behaviours import (
    BreakHandshake,
    CutAt,
    EndTls,
    ImplicitTls,
    InClear,
    InTls,
    Late,
    MaskCapabilities,
    Offer,
    Reply,
    SendAt,
    StallAt,
    Withhold,
)
from model.expect import AnyOf, Delivers, Expectation, Fails, Recovers, Turns
from model.failure import Cause, Failure
from model.rule import Rule
from model.scenario import Change, Connector, Host, Mail, Scenario
from model.smtp import Action, Behaviour, HangUp, Send, Stage, Stall
from model.tls import Handshake, Tls

NOT_NOW = "454 4.7.0 TLS not available due to temporary reason"
TRY_LATER = "451 4.3.0 Try again later"
SHUTTING_DOWN = "421 4.3.2 Service shutting down"
REFUSALS = {
    "500": ("500 5.5.2 Command unrecognised", "the command is not known"),
    "501": ("501 5.5.4 Syntax error in parameters", "the command has parameters, it is said"),
    "502": ("502 5.5.1 Command not implemented", "the command is not implemented"),
    "503": ("503 5.5.1 Bad sequence of commands", "the command comes at the wrong time"),
    "550": ("550 5.7.1 Access denied", "the client is not welcome to it"),
    "554": ("554 5.7.3 Unable to initialize security subsystem", "the server's TLS is broken"),
}
"""Other refusals of STARTTLS than the 454 of RFC 3207."""
FATAL_INTERNAL_ERROR = b"\x15\x03\x03\x00\x02\x02\x50"
"""An alert of TLS 1.2: what a server says that cannot read its key (RFC 5246 section 7.2.2)."""
NO_TLS = b"this is no TLS record\r\n"
TLS_ONLY: tuple[Behaviour, ...] = (
    Reply(Stage.GREETING, "220 mx1 ESMTP, STARTTLS is required here"),
    InClear(Reply(Stage.MAIL, "530 5.7.0 Must issue a STARTTLS command first")),
)
"""A host that takes no mail in clear, and says so before."""
EIGHT_BIT = Mail(
    body="Viele Gr\u00fc\u00dfe\r\n".encode(),
    headers=(
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ),
)

SETTING_RULE: dict[Tls, Rule] = {
    Tls.NONE: OPPORTUNISTIC,
    Tls.ENCRYPT: ENCRYPTION_ONLY,
    Tls.CERTIFICATE: CERTIFICATE_VALIDATION,
    Tls.DOMAIN: DOMAIN_VALIDATION,
}
"""What each setting of a connector demands."""
DEMANDING = (Tls.ENCRYPT, Tls.CERTIFICATE, Tls.DOMAIN)


def _cannot(reason: str, peer: str = "") -> Fails:
    return Fails(Cause(Failure.CANNOT_CONNECT, reason), peer)


def _broken(reason: str) -> Fails:
    return Fails(Cause(Failure.CLOSED_ABRUPTLY, reason))


def _or_in_clear(failure: Fails) -> AnyOf:
    """Where TLS is only a wish: in clear, now or after another attempt."""
    return AnyOf(Delivers(), failure)


FAILED = _cannot("handshake-failed")
HANGS = _broken("hang")
COMES_TO_NOTHING: dict[str, tuple[Behaviour, Fails, str]] = {
    "starttls-silence": (StallAt(Stage.STARTTLS), HANGS, "The server does not answer STARTTLS"),
    "handshake-silence": (
        StallAt(Stage.HANDSHAKE),
        HANGS,
        "After the 220 the server does nothing more",
    ),
    "alert": (
        SendAt(Stage.HANDSHAKE, FATAL_INTERNAL_ERROR, close=True),
        FAILED,
        "After the 220 the server says by alert that its TLS is broken",
    ),
}
"""What comes in place of a handshake."""
ODD_HANDSHAKES: dict[Handshake, tuple[Rule, str]] = {
    Handshake.NO_COMMON_CIPHER: (P317, "The server has no cipher in common with anybody"),
    Handshake.CLIENT_DEMANDED_1_2: (
        rules.CLIENT_DEMANDED,
        "The server demands a client certificate, and there is none",
    ),
    Handshake.ONLY_TLS_1_0: (rules.OLD_VERSIONS, "The server speaks TLS 1.0 only"),
    Handshake.ONLY_TLS_1_1: (rules.OLD_VERSIONS, "The server speaks TLS 1.1 only"),
}
"""How a handshake fails by itself."""
BREAKS: dict[str, tuple[Action, Expectation, str]] = {
    "closed": (HangUp(), _broken("closed"), "closes"),
    "reset": (HangUp(reset=True), _broken("reset"), "resets the connection"),
    "hang": (Stall(), HANGS, "falls silent"),
    "garbage": (Send(NO_TLS * 40), FAILED, "goes on in clear text"),
}
"""What a server does in the middle of its first flight."""
NOT_YET = Fails(Cause(Failure.PEER_REPLY, "transient"), TRY_LATER)
RESUMPTIONS = (
    (
        "possible",
        Handshake.USUAL,
        Handshake.USUAL,
        "The server takes up the session of before",
    ),
    (
        "other-keys",
        Handshake.USUAL,
        Handshake.OTHER_KEYS,
        "By the next attempt the server has other keys for its tickets",
    ),
    (
        "older-version",
        Handshake.ONLY_TLS_1_3,
        Handshake.ONLY_TLS_1_2,
        "The session is one of TLS 1.3, and the next server behind the name speaks TLS 1.2",
    ),
    (
        "newer-version",
        Handshake.ONLY_TLS_1_2,
        Handshake.ONLY_TLS_1_3,
        "The session is one of TLS 1.2, and the next server behind the name speaks TLS 1.3",
    ),
)
"""How the server shakes hands at first and then; who keeps sessions offers one."""


SCENARIOS = around(
    "tls",
    (
        *(
            Scenario(
                id=f"tls.valid.under-{setting}",
                title=f"A server with nothing wrong, under {setting}",
                rule=SETTING_RULE[setting],
                connector=Connector(tls=setting),
            )
            for setting in Tls
        ),
        Scenario(
            id="tls.not-offered.under-none",
            title="No STARTTLS, and none asked for: the mail goes in clear",
            rule=OPPORTUNISTIC,
            hosts=(Host(behaviours=(Withhold("STARTTLS"),)),),
            expect=Delivers(),
        ),
        *(
            Scenario(
                id=f"tls.not-offered.under-{setting}",
                title=f"TLS is required ({setting}), and the server has none",
                rule=P317,
                hosts=(Host(behaviours=(Withhold("STARTTLS"),)),),
                connector=Connector(tls=setting),
                expect=_cannot("starttls-not-supported"),
            )
            for setting in DEMANDING
        ),
        Scenario(
            id="tls.starttls-454.under-none",
            title="STARTTLS is refused for now, and TLS not required: the mail goes in clear",
            rule=OPPORTUNISTIC,
            hosts=(Host(behaviours=(Reply(Stage.STARTTLS, NOT_NOW),)),),
            expect=AnyOf(Delivers(), _cannot("starttls-refused", NOT_NOW)),
        ),
        *(
            Scenario(
                id=f"tls.starttls-454.under-{setting}",
                title=f"TLS is required ({setting}), and STARTTLS is refused for now",
                rule=P317,
                hosts=(Host(behaviours=(Reply(Stage.STARTTLS, NOT_NOW),)),),
                connector=Connector(tls=setting),
                expect=_cannot("starttls-refused", NOT_NOW),
            )
            for setting in DEMANDING
        ),
        Scenario(
            id="tls.no-common-version.under-none",
            title="The handshake cannot succeed, and TLS is not required: in clear, now or later",
            rule=OPPORTUNISTIC,
            hosts=(Host(handshake=Handshake.NO_COMMON_VERSION),),
            expect=AnyOf(Delivers(), _cannot("handshake-failed")),
        ),
        *(
            Scenario(
                id=f"tls.no-common-version.under-{setting}",
                title=f"TLS is required ({setting}), and the handshake cannot succeed",
                rule=P317,
                hosts=(Host(handshake=Handshake.NO_COMMON_VERSION),),
                connector=Connector(tls=setting),
                expect=_cannot("handshake-failed"),
            )
            for setting in DEMANDING
        ),
        Scenario(
            id="tls.garbage.under-encrypt",
            title="After the 220 to STARTTLS comes plain text",
            rule=P317,
            hosts=(Host(behaviours=(SendAt(Stage.HANDSHAKE, NO_TLS),)),),
            connector=Connector(tls=Tls.ENCRYPT),
            expect=FAILED,
        ),
        Scenario(
            id="tls.garbage.under-none",
            title="After the 220 to STARTTLS comes plain text, and TLS is not required",
            rule=OPPORTUNISTIC,
            hosts=(Host(behaviours=(SendAt(Stage.HANDSHAKE, NO_TLS),)),),
            expect=_or_in_clear(FAILED),
        ),
        # The reply to STARTTLS
        *(
            Scenario(
                id=f"tls.starttls-{code}.under-encrypt",
                title=f"TLS is required, and STARTTLS is refused: {why}",
                rule=P317,
                hosts=(Host(behaviours=(Reply(Stage.STARTTLS, text),)),),
                connector=Connector(tls=Tls.ENCRYPT),
                expect=_cannot("starttls-refused", text),
            )
            for code, (text, why) in REFUSALS.items()
        ),
        *(
            Scenario(
                id=f"tls.starttls-{code}.under-none",
                title=f"TLS is not required, and STARTTLS is refused: {REFUSALS[code][1]}",
                rule=STARTTLS_REPLY,
                hosts=(Host(behaviours=(Reply(Stage.STARTTLS, REFUSALS[code][0]),)),),
                expect=_or_in_clear(_cannot("starttls-refused", REFUSALS[code][0])),
            )
            for code in ("502", "554")
        ),
        Scenario(
            id="tls.starttls-421.under-none",
            title="TLS is not required, and STARTTLS is answered by 421 and the end",
            rule=rules.AS_451,
            hosts=(Host(behaviours=(Reply(Stage.STARTTLS, SHUTTING_DOWN, close=True),)),),
            expect=AnyOf(Delivers(), _cannot("starttls-refused", SHUTTING_DOWN), _broken("closed")),
        ),
        Scenario(
            id="tls.starttls-421.under-encrypt",
            title="TLS is required, and STARTTLS is answered by 421 and the end",
            rule=rules.AS_451,
            hosts=(Host(behaviours=(Reply(Stage.STARTTLS, SHUTTING_DOWN, close=True),)),),
            connector=Connector(tls=Tls.ENCRYPT),
            expect=AnyOf(_cannot("starttls-refused", SHUTTING_DOWN), _broken("closed")),
        ),
        Scenario(
            id="tls.starttls-250.under-encrypt",
            title="STARTTLS is answered by 250 instead of 220, and TLS begins",
            rule=rules.STARTTLS_CODE,
            hosts=(Host(behaviours=(Reply(Stage.STARTTLS, "250 2.0.0 Go ahead"),)),),
            connector=Connector(tls=Tls.ENCRYPT),
            expect=AnyOf(Delivers(), _cannot("protocol-violation")),
        ),
        Scenario(
            id="tls.starttls-nonsense.under-encrypt",
            title="STARTTLS is answered by a line without a code",
            rule=P317,
            hosts=(Host(behaviours=(SendAt(Stage.STARTTLS, b"Go ahead\r\n"),)),),
            connector=Connector(tls=Tls.ENCRYPT),
            expect=_cannot("protocol-violation"),
        ),
        Scenario(
            id="tls.starttls-late.under-domain",
            title="The 220 comes late, but in time",
            rule=DOMAIN_VALIDATION,
            hosts=(Host(behaviours=(Late(Stage.STARTTLS, 0.5),)),),
            connector=Connector(tls=Tls.DOMAIN),
        ),
        # STARTTLS taken away
        *(
            Scenario(
                id=f"tls.stripped.under-{setting}",
                title=f"Somebody on the way makes the offer of STARTTLS unreadable, under {setting}",
                rule=OPPORTUNISTIC if setting is Tls.NONE else P317,
                hosts=(Host(behaviours=(InClear(MaskCapabilities()),)),),
                connector=Connector(tls=setting),
                expect=Delivers() if setting is Tls.NONE else _cannot("starttls-not-supported"),
            )
            for setting in Tls
        ),
        Scenario(
            id="tls.ehlo-refused.under-encrypt",
            title="Somebody on the way refuses EHLO: over HELO there is no TLS to be had",
            rule=P317,
            hosts=(Host(behaviours=(Reply(Stage.EHLO, "502 5.5.1 Command not implemented"),)),),
            connector=Connector(tls=Tls.ENCRYPT),
            expect=_cannot("starttls-not-supported"),
        ),
        Scenario(
            id="tls.lower-case.under-encrypt",
            title="STARTTLS is offered in lower case, on the last line",
            rule=rules.KEYWORDS,
            hosts=(
                Host(behaviours=(InClear(Reply(Stage.EHLO, "250-mx1\n250-size\n250 starttls")),)),
            ),
            connector=Connector(tls=Tls.ENCRYPT),
        ),
        # Handshakes that come to nothing
        *(
            Scenario(
                id=f"tls.{name}.under-{setting}",
                title=f"{words}, under {setting}",
                rule=P318 if failure is HANGS else P317,
                hosts=(Host(behaviours=(behaviour,)),),
                connector=Connector(tls=setting),
                expect=failure if setting is Tls.ENCRYPT else _or_in_clear(failure),
            )
            for name, (behaviour, failure, words) in COMES_TO_NOTHING.items()
            for setting in (Tls.ENCRYPT, Tls.NONE)
        ),
        *(
            Scenario(
                id=f"tls.server-hello.{name}",
                title=f"The server {words} in the middle of its first flight",
                rule=P317 if name == "garbage" else P318,
                hosts=(Host(behaviours=(BreakHandshake(100, then),)),),
                connector=Connector(tls=Tls.ENCRYPT),
                expect=expect,
            )
            for name, (then, expect, words) in BREAKS.items()
        ),
        Scenario(
            id="tls.handshake-closed.under-none",
            title="After the 220 the server closes, and TLS is only a wish",
            rule=OPPORTUNISTIC,
            hosts=(Host(behaviours=(CutAt(Stage.HANDSHAKE),)),),
            expect=_or_in_clear(_broken("closed")),
        ),
        Scenario(
            id="tls.handshake-late.under-domain",
            title="The server takes its time before it shakes hands, and is in time",
            rule=DOMAIN_VALIDATION,
            hosts=(Host(behaviours=(Late(Stage.HANDSHAKE, 0.5),)),),
            connector=Connector(tls=Tls.DOMAIN),
        ),
        Scenario(
            id="tls.handshake-closed.once",
            title="One handshake is cut off, the next one succeeds",
            rule=rules.RETRY,
            hosts=(Host(behaviours=(CutAt(Stage.HANDSHAKE, times=1),)),),
            connector=Connector(tls=Tls.ENCRYPT),
            expect=Recovers(_broken("closed")),
        ),
        # Versions, ciphers, client certificates
        *(
            Scenario(
                id=f"tls.{handshake}.under-encrypt",
                title=f"{words}, and TLS is demanded",
                rule=rule,
                hosts=(Host(handshake=handshake),),
                connector=Connector(tls=Tls.ENCRYPT),
                expect=FAILED,
            )
            for handshake, (rule, words) in ODD_HANDSHAKES.items()
        ),
        *(
            Scenario(
                id=f"tls.{handshake}.under-none",
                title=f"{words}, and TLS is only a wish",
                rule=rules.OLD_IS_BETTER if rule is rules.OLD_VERSIONS else OPPORTUNISTIC,
                hosts=(Host(handshake=handshake),),
                expect=_or_in_clear(FAILED),
            )
            for handshake, (rule, words) in ODD_HANDSHAKES.items()
        ),
        *(
            Scenario(
                id=f"tls.{Handshake.CLIENT_DEMANDED_1_3}.under-{setting}",
                title="A client certificate is missed when the client takes the handshake for done, "
                f"under {setting}",
                rule=rules.CLIENT_DEMANDED,
                hosts=(Host(handshake=Handshake.CLIENT_DEMANDED_1_3),),
                connector=Connector(tls=setting),
                expect=expect,
            )
            for setting, expect in (
                (Tls.ENCRYPT, AnyOf(FAILED, _broken("closed"))),
                (Tls.NONE, AnyOf(Delivers(), FAILED, _broken("closed"))),
            )
        ),
        Scenario(
            id=f"tls.{Handshake.CLIENT_ASKED}.under-domain",
            title="A client certificate is asked for, and it is no matter that there is none",
            rule=rules.NO_CLIENT_CERTIFICATE,
            hosts=(Host(handshake=Handshake.CLIENT_ASKED),),
            connector=Connector(tls=Tls.DOMAIN),
        ),
        *(
            Scenario(
                id=f"tls.{handshake}.under-domain",
                title=f"The server speaks {words} only",
                rule=rules.NEW_VERSIONS,
                hosts=(Host(handshake=handshake),),
                connector=Connector(tls=Tls.DOMAIN),
            )
            for handshake, words in (
                (Handshake.ONLY_TLS_1_2, "TLS 1.2"),
                (Handshake.ONLY_TLS_1_3, "TLS 1.3"),
            )
        ),
        Scenario(
            id=f"tls.{Handshake.WEAK_DH}.under-encrypt",
            title="The server agrees upon keys of 1,024 bits only",
            rule=rules.DH_LENGTH,
            hosts=(Host(handshake=Handshake.WEAK_DH),),
            connector=Connector(tls=Tls.ENCRYPT),
            expect=AnyOf(FAILED, Delivers()),
        ),
        # Sessions that are taken up again
        *(
            Scenario(
                id=f"tls.resumption.{name}",
                title=f"{words}: the mail that waited is delivered over TLS",
                rule=rules.RESUMPTION,
                hosts=(Host(handshake=first, behaviours=(Reply(Stage.RCPT, TRY_LATER),)),),
                connector=Connector(tls=Tls.DOMAIN),
                change=Change(hosts=(Host(handshake=then),)),
                expect=Recovers(NOT_YET),
            )
            for name, first, then, words in RESUMPTIONS
        ),
        # The end of TLS
        Scenario(
            id="tls.close-notify.missing-at-quit",
            title="After its 221 the server closes the connection, and TLS has not been ended",
            rule=DELIVER,
            hosts=(Host(behaviours=(Reply(Stage.QUIT, "221 2.0.0 Bye", close=True),)),),
            connector=Connector(tls=Tls.ENCRYPT),
        ),
        *(
            Scenario(
                id=f"tls.close-notify.at-{stage}{'.half' if half else ''}",
                title=f"In place of its reply to {words} the server ends TLS"
                + (", and leaves TCP as it is" if half else " in good order"),
                rule=rules.CLOSE_NOTIFY if half else P318,
                hosts=(Host(behaviours=(EndTls(stage, half),)),),
                connector=Connector(tls=Tls.ENCRYPT),
                expect=AnyOf(_broken("closed"), HANGS) if half else _broken("closed"),
            )
            for stage, words in ((Stage.MAIL, "MAIL"), (Stage.DOT, "the final dot"))
            for half in (False, True)
        ),
        # The name that is asked for
        Scenario(
            id="tls.sni.demanded",
            title="The server talks only to who asks for its name",
            rule=rules.NAME_SENT,
            hosts=(Host(handshake=Handshake.NAME_DEMANDED),),
            connector=Connector(tls=Tls.ENCRYPT),
        ),
        Scenario(
            id="tls.sni.chooses-certificate",
            title="The server has many names, and shows the certificate of the one asked for",
            rule=rules.NAME_SENT,
            hosts=(Host(handshake=Handshake.NAME_CHOOSES),),
            connector=Connector(tls=Tls.DOMAIN),
        ),
        Scenario(
            id="tls.sni.unknown",
            title="The server knows no name, and refuses whoever asks for one",
            rule=rules.NAME_UNKNOWN,
            hosts=(Host(handshake=Handshake.NAME_REFUSED),),
            connector=Connector(tls=Tls.ENCRYPT),
            expect=AnyOf(FAILED, Delivers()),
        ),
        Scenario(
            id="tls.sni.no-address",
            title="A smart host that is given by address is asked for no name",
            rule=rules.NO_ADDRESS_AS_NAME,
            hosts=(Host(handshake=Handshake.NAME_REFUSED),),
            connector=Connector(("[mx1]",), Tls.ENCRYPT),
        ),
        # What is said in clear is void
        *(
            Scenario(
                id=f"tls.injected.{name}",
                title=f"Behind the 220 somebody has put {words}",
                rule=rules.STARTTLS_DISCARD,
                hosts=(Host(behaviours=(SendAt(Stage.STARTTLS, octets, takes=True),)),),
                connector=Connector(tls=Tls.ENCRYPT),
                expect=AnyOf(Delivers(), FAILED),
            )
            for name, words, octets in (
                (
                    "capabilities",
                    "an answer to EHLO that allows one octet",
                    b"220 2.0.0 Ready\r\n250-mx1\r\n250 SIZE 1\r\n",
                ),
                (
                    "refusal",
                    "an answer to EHLO and one to MAIL that refuses for good",
                    b"220 2.0.0 Ready\r\n250 mx1\r\n550 5.7.1 Sender refused\r\n",
                ),
            )
        ),
        Scenario(
            id="tls.capabilities.gone",
            title="Within TLS the server no longer offers what it offered in clear",
            rule=rules.STARTTLS_DISCARD,
            hosts=(
                Host(
                    behaviours=(
                        InClear(Offer(("PIPELINING", "CHUNKING", "DSN", "PRDR"))),
                        InTls(Withhold("SIZE")),
                        InTls(Withhold("8BITMIME")),
                    )
                ),
            ),
            connector=Connector(tls=Tls.ENCRYPT),
        ),
        Scenario(
            id="tls.capabilities.new",
            title="Only within TLS the server takes eight-bit mail, and this is such",
            rule=rules.STARTTLS_DISCARD,
            hosts=(Host(behaviours=(InClear(Withhold("8BITMIME")), InClear(Withhold("SIZE")))),),
            connector=Connector(tls=Tls.ENCRYPT),
            mail=EIGHT_BIT,
        ),
        Scenario(
            id="tls.capabilities.starttls-again",
            title="Within TLS the server offers STARTTLS once more",
            rule=rules.STARTTLS_ONCE,
            hosts=(Host(behaviours=(InTls(Offer(("STARTTLS",))),)),),
            connector=Connector(tls=Tls.ENCRYPT),
        ),
        # Where TLS is only a wish
        Scenario(
            id="tls.required-by-host.under-none",
            title="TLS is only a wish, but the server takes no mail without it",
            rule=rules.STARTTLS_DEMANDED,
            hosts=(Host(behaviours=TLS_ONLY),),
        ),
        Scenario(
            id="tls.fallback.not-remembered",
            title="In clear once, because the handshake failed; it is tried anew the next time",
            rule=EVERY_ATTEMPT,
            hosts=(
                Host(
                    handshake=Handshake.NO_COMMON_CIPHER,
                    behaviours=(Reply(Stage.RCPT, TRY_LATER),),
                ),
            ),
            change=Change(hosts=(Host(behaviours=TLS_ONLY),)),
            expect=AnyOf(
                Recovers(Fails(Cause(Failure.PEER_REPLY, "transient"), TRY_LATER)),
                Recovers(FAILED),
            ),
        ),
        # Time, and other hosts
        Scenario(
            id="tls.not-offered.mended",
            title="TLS is required and not offered; by the next attempt it is",
            rule=EVERY_ATTEMPT,
            hosts=(Host(behaviours=(Withhold("STARTTLS"),)),),
            connector=Connector(tls=Tls.ENCRYPT),
            change=Change(hosts=(Host(),)),
            expect=Recovers(_cannot("starttls-not-supported")),
        ),
        Scenario(
            id="tls.not-offered.by-then",
            title="TLS is required, and offered once; by the next attempt it is not",
            rule=P317,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, TRY_LATER),)),),
            connector=Connector(tls=Tls.ENCRYPT),
            change=Change(hosts=(Host(behaviours=(Withhold("STARTTLS"),)),)),
            expect=Turns(
                Fails(Cause(Failure.PEER_REPLY, "transient"), TRY_LATER),
                _cannot("starttls-not-supported"),
            ),
        ),
        Scenario(
            id="tls.not-offered.first-mx",
            title="TLS is required, the first MX host has none, the second has",
            rule=NEXT_HOST,
            hosts=(Host(behaviours=(Withhold("STARTTLS"),)), Host("mx2")),
            connector=Connector(tls=Tls.ENCRYPT),
            expect=Delivers("mx2"),
        ),
        Scenario(
            id="tls.no-common-cipher.first-smart-host",
            title="TLS is required, the first smart host has no cipher, the second is good",
            rule=NEXT_HOST,
            hosts=(Host(handshake=Handshake.NO_COMMON_CIPHER), Host("mx2")),
            connector=Connector(("mx1", "mx2"), Tls.ENCRYPT),
            expect=Delivers("mx2"),
        ),
        *(
            Scenario(
                id=f"tls.implicit.under-{setting}",
                title=f"The server expects TLS from the first octet on, under {setting}",
                rule=rules.NO_IMPLICIT,
                hosts=(Host(behaviours=(ImplicitTls(),)),),
                connector=Connector(tls=setting),
                expect=_broken("hang"),
            )
            for setting in (Tls.NONE, Tls.ENCRYPT)
        ),
    ),
    connector=Connector(tls=Tls.DOMAIN),
)
