"""The `kn-shop` command: a plugin for kn that drives the shop through its public HTTP API."""
