"""A sender's wishes as the agent's door takes them (RFC 3461 section 4), in plain text."""

import re
from collections.abc import Sequence

from model.wishes import Wishes
from targets.reference.ndr import in_ascii

NOTIFY = ("SUCCESS", "FAILURE", "DELAY")
RET = ("", "FULL", "HDRS")
MOST_ENVID = 100
"""Characters that an ENVID may have (RFC 3461 section 4.4)."""
MOST_ORCPT = 500
"""Characters that an ORCPT may have (RFC 3461 section 4.2)."""
_PRINTABLE = re.compile(r"[ -~]*")
_TYPED = re.compile(r"[A-Za-z0-9-]+;.+", re.DOTALL)


def asked(notify: Sequence[str] = (), ret: str = "", envid: str = "", orcpt: str = "") -> Wishes:
    """The wishes of a submission. Raises ValueError, with what is wrong, if they are none.

    An ORCPT beyond ASCII is kept in seven bits, as it goes over the wire (RFC 6533 section 3).
    """
    words = tuple(word.upper() for word in notify)
    if words != ("NEVER",) and not set(words) <= set(NOTIFY):
        raise ValueError(f"notify is {','.join(words)}; give NEVER, or some of {', '.join(NOTIFY)}")
    if ret.upper() not in RET:
        raise ValueError(f"ret is {ret!r}; give FULL or HDRS")
    if len(envid) > MOST_ENVID or not _PRINTABLE.fullmatch(envid):
        raise ValueError(f"envid is {envid!r}; give at most {MOST_ENVID} printable characters")
    if orcpt and not (_TYPED.fullmatch(orcpt) and len(orcpt) <= MOST_ORCPT):
        raise ValueError(f"orcpt is {orcpt!r}; give type;address, as rfc822;user@host.example")
    if not orcpt.isascii():
        orcpt = f"utf-8;{in_ascii(orcpt.partition(';')[2])}"
    if not _PRINTABLE.fullmatch(orcpt):
        raise ValueError(f"orcpt is {orcpt!r}; give printable characters only")
    return Wishes(tuple(dict.fromkeys(words)), ret.upper(), envid, orcpt)
