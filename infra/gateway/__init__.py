"""The gateway of a cluster that has no Gateway API: one host, each method and path to its function."""
