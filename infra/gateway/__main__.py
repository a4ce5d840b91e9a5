"""Run the gateway: `python -m infra.gateway` with PORT and UPSTREAM, a URL template with `{service}`."""

import os

import uvicorn

from infra.gateway.proxy import Gateway, table


def main() -> None:
    gateway = Gateway(table(), os.environ.get("UPSTREAM", "http://{service}.shop.svc.cluster.local"))
    uvicorn.run(
        gateway,
        host="0.0.0.0",  # noqa: S104 (in a pod: probes and the proxy beside it come from another address)
        port=int(os.environ.get("PORT", "8080")),
        lifespan="off",
        access_log=False,
        server_header=False,
        log_level=os.environ.get("LOG_LEVEL", "warning").lower(),
        timeout_graceful_shutdown=20,
    )


if __name__ == "__main__":
    main()
