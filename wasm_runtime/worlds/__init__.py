"""What components are to the outside, as WIT: read out of binaries, and written down."""
