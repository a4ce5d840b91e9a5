"""What the shop does on a real cluster: `make cluster-test`."""
