"""All mutants, and an adapter for each: `selftests.mutants.known:NAME` is a target."""

from functools import partial

from selftests.mutants import (
    codes,
    custody,
    in_certificate,
    in_connect,
    in_dns,
    in_greeting,
    in_hosts,
    in_middlebox,
    in_ndr,
    in_queue,
    in_reply,
    in_resolver,
    in_robustness,
    in_session,
    in_spool,
    in_tls,
    notices,
    resuming,
    secrecy,
    ways,
)
from selftests.mutants.mutant import Mutant
from targets.reference.adapter import Adapter

MUTANTS: tuple[Mutant, ...] = (
    *codes.MUTANTS,
    *notices.MUTANTS,
    *custody.MUTANTS,
    *ways.MUTANTS,
    *secrecy.MUTANTS,
    *in_certificate.MUTANTS,
    *in_connect.MUTANTS,
    *in_dns.MUTANTS,
    *in_greeting.MUTANTS,
    *in_hosts.MUTANTS,
    *in_middlebox.MUTANTS,
    *in_queue.MUTANTS,
    *in_ndr.MUTANTS,
    *in_reply.MUTANTS,
    *in_resolver.MUTANTS,
    *in_robustness.MUTANTS,
    *in_session.MUTANTS,
    *in_spool.MUTANTS,
    *in_tls.MUTANTS,
    *resuming.MUTANTS,
)
"""Every mutant."""

globals().update({mutant.name: partial(Adapter, mutant.path) for mutant in MUTANTS})


def target_of(mutant: Mutant) -> str:
    """What `--target` would be told."""
    return f"{__name__}:{mutant.name}"
