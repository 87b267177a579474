"""Text to marked nodes: YAML and JSON whose values know their file, line and column, and what is wrong there."""
