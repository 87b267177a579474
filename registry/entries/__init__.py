"""What an entry is: kinds, the decoding of nodes into typed specs, references, settings, the index and its changes."""
