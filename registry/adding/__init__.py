"""Entries that the command line adds to a project."""
