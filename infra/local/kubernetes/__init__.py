"""The part of the Kubernetes API that the stock `kn` reads, for the shop on one machine. Read only.

What it shows are the manifests that `make deploy` would apply, with the readiness of the processes that run here.
"""

PREFIX = "/dev/kubernetes"
"""Where it is beside the shop's own paths."""
