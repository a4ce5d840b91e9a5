"""Points `kn` at the running shop of PORT: `eval "$(make -s kn-env)"`."""

import os
import shlex
import sys
from pathlib import Path

import yaml

from infra.local import paths
from infra.local.client import Client
from infra.local.kubernetes import PREFIX
from infra.manifests.kubernetes import NAMESPACE

CONTEXT = "kn-shop-here"


def write(directory: Path, url: str) -> None:
    """Leaves the kubeconfig of the shop at `url` in the directory of its state. It holds no secret."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": {"server": url + PREFIX}}],
        "users": [{"name": CONTEXT, "user": {}}],
        "contexts": [
            {"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": NAMESPACE}},
        ],
        "current-context": CONTEXT,
    }
    _file(directory).write_text(yaml.safe_dump(config, sort_keys=False))


def _file(directory: Path) -> Path:
    return directory / "kubeconfig"


def main() -> int:
    port = os.environ.get("PORT") or "8080"
    file = _file(paths.state(port))
    if file.exists():
        server = yaml.safe_load(file.read_text())["clusters"][0]["cluster"]["server"]
        if Client(server.removesuffix(PREFIX), timeout_s=5.0).status(f"{PREFIX}/version") == 200:
            print(f"export KUBECONFIG={shlex.quote(str(file))}")
            return 0
    help = f"No shop runs on port {port}. Start it by `make run`, or name its port: make -s kn-env PORT=8081"
    print(help, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
