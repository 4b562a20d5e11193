"""Where a mutant may be caught, said by what a scenario is about and not by its id.

A wrong agent that spoils every delivery is caught wherever mail arrives, and a list of such
scenarios would be out of date with every new one.
"""

from collections.abc import Callable

from model.dns import Stale
from model.expect import Arrives, Delivers, Expires, Fails, Recovers, Turns, failures, ways
from model.failure import Failure
from model.scenario import Scenario
from model.tls import Flaw, Tls

Where = Callable[[Scenario], bool]


def arrives(scenario: Scenario) -> bool:
    """Mail is delivered, at once or later, or may be."""
    return any(isinstance(way, Delivers | Recovers | Arrives) for way in ways(scenario.expect))


def fails(scenario: Scenario) -> bool:
    """An attempt fails, or may."""
    return any(failures(way) or isinstance(way, Arrives) for way in ways(scenario.expect))


def is_refused_for_good(scenario: Scenario) -> bool:
    """Mail is given up at once, or may be: the host said 5yz, or it can go nowhere."""
    final = {"permanent", "null-mx", "loop", "too-large", "not-convertible", "ill-formed"}
    final |= {"domain-nxdomain"}
    return any(f.cause.reason in final for way in ways(scenario.expect) for f in failures(way))


def is_kept(scenario: Scenario) -> bool:
    """A failure passes, so that mail waits for another attempt, or may."""
    final = {"permanent", "null-mx", "loop", "too-large", "not-convertible", "ill-formed"}
    kinds = Fails | Recovers | Turns | Expires
    return flaps(scenario) or any(
        isinstance(way, kinds) and failures(way)[0].cause.reason not in final
        for way in ways(scenario.expect)
    )


def fails_by(*kinds: Failure) -> Where:
    """An attempt fails with one of these, or may."""
    return lambda s: any(f.cause.failure in kinds for way in ways(s.expect) for f in failures(way))


def fails_for(*reasons: str) -> Where:
    """An attempt fails for one of these reasons, or may."""
    return lambda s: any(f.cause.reason in reasons for way in ways(s.expect) for f in failures(way))


def expires(scenario: Scenario) -> bool:
    """It is about the end of the queue."""
    return any(isinstance(way, Expires) for way in ways(scenario.expect))


def is_unheard(scenario: Scenario) -> bool:
    """Nobody is told what becomes of the mail."""
    return not scenario.mail.hears


def waits_for_hours(scenario: Scenario) -> bool:
    """Time is let pass."""
    return scenario.is_timed


def survives_a_kill(scenario: Scenario) -> bool:
    """The agent is killed, and started again."""
    return scenario.is_killed


def goes_by_mx(scenario: Scenario) -> bool:
    """No smart host is in force."""
    return not scenario.connector.way


def goes_by_smart_host(scenario: Scenario) -> bool:
    """A smart host is in force."""
    return bool(scenario.connector.way)


def demands_tls(scenario: Scenario) -> bool:
    """The connector wants TLS."""
    return scenario.connector.demands is not Tls.NONE


def has_several_hosts(scenario: Scenario) -> bool:
    """There is more than one address to try."""
    return len(scenario.hosts) > 1


def both(*conditions: Where) -> Where:
    """All of several conditions."""
    return lambda s: all(condition(s) for condition in conditions)


def flaps(scenario: Scenario) -> bool:
    """Attempts fail in ways that nobody has listed, until the mail arrives."""
    return any(isinstance(way, Arrives) for way in ways(scenario.expect))


def shows_a_flaw(scenario: Scenario) -> bool:
    """A certificate is not as it should be, or the box in front shows one of its own."""
    return any(h.certificate is not Flaw.VALID or h.box for h in scenario.all_hosts)


def is_checked(scenario: Scenario) -> bool:
    """The connector has the certificate checked."""
    return scenario.connector.demands in (Tls.CERTIFICATE, Tls.DOMAIN)


def leaves_tls_open(scenario: Scenario) -> bool:
    """The connector uses TLS where it works."""
    return not demands_tls(scenario)


def has_fault(*kinds: type) -> Where:
    """DNS has one of these faults."""
    return lambda s: any(isinstance(x.fault, kinds) for z in s.all_zones for x in z.faults)


def changes_its_connector(scenario: Scenario) -> bool:
    """The administrator of the connector sets something right while mail waits."""
    return any(change.connector for change in scenario.changes)


def changes_its_zone(scenario: Scenario) -> bool:
    """Records become different, whether a cache forgets the old ones or the zone is changed."""
    return any(change.zone for change in scenario.changes) or has_fault(Stale)(scenario)
