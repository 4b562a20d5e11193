"""Stock Postfix, one instance for all routes, in a sealed room."""
