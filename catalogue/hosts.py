"""What several hosts, addresses and smart hosts do to a message: order, fallback, limits."""

from catalogue.control import around

SCENARIOS = around("hosts", ())
