"""Odd messages, odd addresses, odd streams of octets, and many messages at once."""

from catalogue.control import around

SCENARIOS = around("robustness", ())
