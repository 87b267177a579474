"""What entries take and give, as far as it is known without calling them: out of binaries, and out of ``wit``."""
