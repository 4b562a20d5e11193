"""The world assembled, running as a process of its own."""
