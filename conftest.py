"""Plugins and nothing else."""

pytest_plugins = [
    "fixtures.options",
    "fixtures.shards",
    "fixtures.outcomes",
    "fixtures.report",
    "fixtures.allure_report",
]
