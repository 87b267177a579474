"""Calls: preparing entries, the routes to them, the dispatcher, and the figures it keeps."""
