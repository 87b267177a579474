"""WASI 0.2: a room for each package, a file for each interface; and what they keep of an instance (`session`)."""
