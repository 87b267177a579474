"""Core modules with a ``wit`` signature."""
