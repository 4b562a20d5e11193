"""Mailboxes as RFC 5321 section 4.1.2 writes them, and when two spellings mean the same one.

And the one host name that everybody has to know: the agent's own.
"""

import re

AGENT = "agent.test"
"""The agent's own host name, in every zone that names it; its address is 127.0.0.1."""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def canonical(address: str) -> str:
    """One spelling for all that mean the same mailbox; it is for comparing, not for sending.

    A quoted local part loses its quotes and backslashes, for `"a.b"` and `a.b` are the same mailbox;
    its case stays (RFC 5321 section 2.4). The domain loses case and a dot at its end.
    """
    local, at, domain = address.rpartition("@")
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = _ESCAPED.sub(r"\1", local[1:-1])
    return local + at + domain.lower().rstrip(".")
