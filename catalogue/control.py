"""The healthy deliveries that open and close every run: without them nothing else counts."""

from catalogue.rules import DELIVER
from model.scenario import Scenario

OPENING = Scenario(id="control.opening", title="A healthy host gets the mail", rule=DELIVER)
CLOSING = Scenario(
    id="control.closing", title="A healthy host gets the mail when all else is over", rule=DELIVER
)

SCENARIOS = (OPENING, CLOSING)
