"""Real processes for tests: the payment provider, the relay, a whole shop."""
