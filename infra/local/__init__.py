"""The one-machine stand-in for the cluster: the whole shop as a few processes, without anything to install."""
