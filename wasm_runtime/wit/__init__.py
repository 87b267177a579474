"""WIT: its types as values, its text, signatures, and whether a plain value fits a type."""
