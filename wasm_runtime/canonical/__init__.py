"""The Canonical ABI: how values cross between the host and a guest's memory and parameters."""
