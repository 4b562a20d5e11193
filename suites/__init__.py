"""The conformance tests, one module a chapter."""
