"""4.7.320: the certificate cannot be validated, under each setting of the connector."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("certificate")
def test_certificate(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
