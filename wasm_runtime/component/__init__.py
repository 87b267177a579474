"""Components as polycall itself understands them: what the binary says."""
