"""A Kubernetes cluster as kubectl sees it; the server applies, since it alone knows what would change."""

import json
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from infra.manifests.kubernetes import NAMESPACE, Manifest

MANAGER = "kn-shop"
OWNED = {"app.kubernetes.io/managed-by": "kn-shop"}


class ClusterRefused(Exception):
    """What kubectl said."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """`context` is one of kubectl's; empty is the current one."""

    context: str

    def run(self, *arguments: str, given: str | None = None, accept: Sequence[int] = (0,)) -> str:
        """Raises ClusterRefused with kubectl's own words."""
        command = ["kubectl", *(["--context", self.context] if self.context else []), *arguments]
        try:
            done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise ClusterRefused("kubectl is not installed") from None
        if done.returncode not in accept:
            raise ClusterRefused(f"{' '.join(command[:6])} ...\n{done.stderr.strip()}")
        return done.stdout

    def has(self, resource: str) -> bool:
        """Whether the cluster knows this kind, as `services.serving.knative.dev`."""
        return bool(self.run("get", "crd", resource, "--ignore-not-found", "-o", "name").strip())

    def get(self, kind: str, name: str) -> Manifest | None:
        found = self.run("-n", NAMESPACE, "get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(found) if found.strip() else None

    def all(self, kind: str) -> list[Manifest]:
        listed: list[Manifest] = json.loads(self.run("-n", NAMESPACE, "get", kind, "-o", "json"))["items"]
        return listed

    def diff(self, manifests: Iterable[Manifest]) -> str:
        """What applying would change, after the cluster's own defaults and checks; empty for nothing."""
        return self.run(
            "diff", "--server-side", f"--field-manager={MANAGER}", "--force-conflicts", "-f", "-",
            given=_stream(manifests), accept=(0, 1),
        )  # fmt: skip

    def check(self, manifests: Iterable[Manifest]) -> None:
        """A dry run on the server, with unknown fields as faults."""
        self.apply(manifests, "--dry-run=server")

    def apply(self, manifests: Iterable[Manifest], *options: str) -> None:
        self.run(
            "apply", "--server-side", f"--field-manager={MANAGER}", "--force-conflicts", "--validate=strict", *options,
            "-f", "-", given=_stream(manifests),
        )  # fmt: skip

    def prune(self, kind: str, kept: Iterable[str]) -> list[str]:
        """Deletes what was deployed before and is not in `kept`; what Knative made of it is Knative's to delete."""
        selector = ",".join(f"{name}={value}" for name, value in OWNED.items())
        listed = json.loads(self.run("-n", NAMESPACE, "get", kind, "-l", selector, "-o", "json"))["items"]
        ours = {one["metadata"]["name"] for one in listed if not one["metadata"].get("ownerReferences")}
        gone = sorted(ours - set(kept))
        if gone:
            self.run("-n", NAMESPACE, "delete", kind, *gone, "--wait=false")
        return gone

    def let_go(self, kind: str) -> list[str]:
        """Takes the finalizers off what is being deleted; gives the names."""
        waiting = [
            one["metadata"]["name"]
            for one in self.all(kind)
            if one["metadata"].get("deletionTimestamp") and one["metadata"].get("finalizers")
        ]
        patch = json.dumps({"metadata": {"finalizers": None}})
        for name in waiting:
            # It may be gone by now: then kubectl refuses, and all is well.
            self.run("-n", NAMESPACE, "patch", kind, name, "--type=merge", "-p", patch, accept=(0, 1))
        return waiting

    def wait(self, kind: str, names: Sequence[str], condition: str, timeout_s: int) -> None:
        """Raises ClusterRefused that names what did not come about, with the reasons that the cluster gives."""
        if not names:
            return
        deadline = time.monotonic() + timeout_s
        while True:
            late = {
                one["metadata"]["name"]: why
                for one in self.all(kind)
                if one["metadata"]["name"] in names and (why := _missing(one, condition)) is not None
            }
            if not late:
                return
            if time.monotonic() > deadline:
                reasons = "\n".join(f"  {name}: {why}" for name, why in sorted(late.items()))
                raise ClusterRefused(f"not {condition} after {timeout_s} s:\n{reasons}")
            time.sleep(1)


def _missing(one: Manifest, condition: str) -> str | None:
    """Why the condition does not hold for the object as it is now; None when it holds."""
    status: dict[str, Any] = one.get("status", {})
    if status.get("observedGeneration", one["metadata"].get("generation")) != one["metadata"].get("generation"):
        return "not looked at yet"
    for known in status.get("conditions", []):
        if known["type"] == condition:
            return (
                None if known["status"] == "True" else f"{known.get('reason', '')} {known.get('message', '')}".strip()
            )
    return "no word yet"


def summary(diff: str) -> str:
    """What is new by name only, what changes in full."""
    new, changed = [], []
    for part in ("\n" + diff).split("\ndiff ")[1:]:
        if "\n@@ -0,0 " in part:
            new.append(part.partition("\n")[0].rpartition("/")[2].replace(f".{NAMESPACE}.", " ", 1))
        else:
            changed.append("diff " + part.rstrip("\n"))
    return "\n".join([*changed, *(f"new: {name}" for name in sorted(new))])


def _stream(manifests: Iterable[Manifest]) -> str:
    return "\n---\n".join(json.dumps(manifest) for manifest in manifests)
