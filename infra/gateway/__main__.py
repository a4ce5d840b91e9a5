"""Run the gateway: `python -m infra.gateway` with PORT and UPSTREAM, a URL template with `{service}`.

From one address it takes ADDRESS_RATE_PER_S requests a second, and ADDRESS_BURST at once; 0 takes any number.
"""

import os

import uvicorn

from infra.gateway.proxy import Gateway, table
from shared.runtime.buckets import Rate


def main() -> None:
    per_s = float(os.environ.get("ADDRESS_RATE_PER_S", "200"))
    gateway = Gateway(
        table(),
        os.environ.get("UPSTREAM", "http://{service}.shop.svc.cluster.local"),
        rate=Rate(per_s, int(os.environ.get("ADDRESS_BURST", "400"))) if per_s else None,
        trusted_proxies=int(os.environ.get("TRUSTED_PROXIES", "0")),
    )
    uvicorn.run(
        gateway,
        host="0.0.0.0",  # noqa: S104 (in a pod: probes and the proxy beside it come from another address)
        port=int(os.environ.get("PORT", "8080")),
        lifespan="off",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the gateway reads them itself, and knows how many of their writers to trust
        log_level=os.environ.get("LOG_LEVEL", "warning").lower(),
        timeout_graceful_shutdown=20,
    )


if __name__ == "__main__":
    main()
