"""`kn` and the whole shop as `make run` starts it."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.local.client import Client
from infra.local.processes import wait_until
from tests.processes import EMBEDDED, Shop, free_port

pytestmark = pytest.mark.parametrize("shop", [EMBEDDED], indirect=True)


def kn_env(home: str, port: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KN_SHOP_HOME": home, "PORT": str(port)}
    command = [sys.executable, "-m", "infra.local.kubernetes.kubeconfig"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def kubeconfig(shop: Shop) -> str:
    """What `make kn-env` says for the running shop."""
    port = int(shop.url.rpartition(":")[2])
    done = kn_env(str(shop.directory.parent), port)
    assert (done.returncode, done.stderr) == (0, "")
    export, name = shlex.split(done.stdout)
    assert export == "export"
    return name.removeprefix("KUBECONFIG=")


def test_the_environment_leads_to_the_running_shop(shop: Shop) -> None:
    server = yaml.safe_load(Path(kubeconfig(shop)).read_text())["clusters"][0]["cluster"]["server"]

    assert server.startswith(shop.url)
    assert Client(shop.url).call("GET", server.removeprefix(shop.url) + "/version")["major"] == "1"


def test_without_a_shop_it_says_how_to_start_one(shop: Shop) -> None:
    done = kn_env(str(shop.directory.parent), free_port())

    assert (done.returncode, done.stdout) == (1, "")
    assert "make run" in done.stderr


def test_a_dispatcher_that_hangs_is_seen(shop: Shop) -> None:
    client, services = Client(shop.url), "/dev/kubernetes/apis/serving.knative.dev/v1/namespaces/shop/services"

    def ready(name: str) -> bool:
        found: Any = client.call("GET", f"{services}/{name}")
        return bool({one["type"]: one["status"] for one in found["status"]["conditions"]}["Ready"] == "True")

    assert wait_until(lambda: ready("hold-stock"), timeout_s=60)
    dispatcher = shop.parts()["dispatch"]
    os.kill(dispatcher, signal.SIGSTOP)
    try:
        assert not ready("hold-stock")
        assert ready("place-order")
    finally:
        os.kill(dispatcher, signal.SIGCONT)
    assert wait_until(lambda: ready("hold-stock"), timeout_s=60)


@pytest.mark.tools("kn")
def test_kn_sees_the_functions_that_run_here(shop: Shop) -> None:
    environment = {**os.environ, "KUBECONFIG": kubeconfig(shop)}

    def kn(*arguments: str) -> str:
        command = ["kn", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

    assert f"{shop.url}/v1/orders" in kn("service", "describe", "place-order")
    assert "hold-stock" in kn("source", "list")
