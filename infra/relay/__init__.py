"""The relay: publishes the outbox, in order and without loss."""
