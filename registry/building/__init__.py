"""Binaries made from their sources: what entries declare under ``build``, and who runs it."""
