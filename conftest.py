"""Plugins and nothing else."""

pytest_plugins = [
    "fixtures.options",
    "fixtures.shards",
    "fixtures.listing",
    "fixtures.connectors",
    "fixtures.large",
    "fixtures.outcomes",
    "fixtures.report",
    "fixtures.costs",
    "fixtures.allure_report",
]
