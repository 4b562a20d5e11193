"""What a sender wants to be told of its mail (RFC 3461 section 4), as values."""

import re
from dataclasses import dataclass

_NOT_XTEXT = re.compile(r"[^!-~]|[+=]")


@dataclass(frozen=True, slots=True)
class Wishes:
    """The parameters of the DSN extension; empty: nothing is asked for.

    `notify` is ("NEVER",) or some of SUCCESS, FAILURE, DELAY; `ret` FULL or HDRS; `envid` the
    sender's own name for the transaction and `orcpt` the original recipient as `type;address`,
    both as plain text: on the wire they are xtext.
    """

    notify: tuple[str, ...] = ()
    ret: str = ""
    envid: str = ""
    orcpt: str = ""

    def for_mail(self) -> list[str]:
        """The parameters of MAIL."""
        ret = [f"RET={self.ret}"] if self.ret else []
        return ret + ([f"ENVID={xtext(self.envid)}"] if self.envid else [])

    def for_rcpt(self) -> list[str]:
        """The parameters of RCPT."""
        kind, _, address = self.orcpt.partition(";")
        notify = [f"NOTIFY={','.join(self.notify)}"] if self.notify else []
        return notify + ([f"ORCPT={kind};{xtext(address)}"] if self.orcpt else [])


def xtext(text: str) -> str:
    """Text as xtext: octets that may not stand there become +XX (RFC 3461 section 4).

    What is beyond ASCII goes octet by octet, as UTF-8 has it (RFC 6533 section 3).
    """
    octets = text.encode().decode("latin-1")
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", octets)
