"""Stock Exim, one instance for all routes, in a sealed room."""
