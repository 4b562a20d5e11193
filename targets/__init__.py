"""Delivery agents behind adapters: one folder an agent, the only place that knows its name."""
