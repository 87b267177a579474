"""Calls: the dispatcher that makes them, the table of routes, preparing entries, and figures."""
