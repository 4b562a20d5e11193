"""A firewall between agent and host that understands, or misunderstands, SMTP."""

from catalogue.control import around

SCENARIOS = around("middlebox", ())
