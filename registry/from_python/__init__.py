"""What Python asks of a registry: its calls, the entries that it puts there, from the opening to the end."""
