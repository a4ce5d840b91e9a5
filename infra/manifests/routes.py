"""Routes: the table of the shop's own gateway, and the same as HTTPRoutes for a Gateway API gateway."""

import json
import re

from infra.manifests import Files
from infra.manifests.kubernetes import NAMESPACE, Manifest, documents, labels
from shared.runtime.address import CLIENT_ADDRESS
from shared.runtime.declare import Declaration, Http

ATTRIBUTES = (
    "ce-correlationid",
    "ce-id",
    "ce-source",
    "ce-specversion",
    "ce-traceparent",
    "ce-type",
    CLIENT_ADDRESS,
)
"""Headers that only the shop itself may send to a function."""


def files(declarations: list[Declaration]) -> Files:
    routed = [(declaration, declaration.trigger) for declaration in declarations]
    served = [(declaration, trigger) for declaration, trigger in routed if isinstance(trigger, Http)]
    table = [
        {"method": trigger.method, "path": trigger.path, "service": declaration.service}
        for declaration, trigger in sorted(served, key=lambda one: (one[1].path, one[1].method))
    ]
    written = {"infra/gateway/routes.json": json.dumps(table, indent=2) + "\n"}
    for declaration, trigger in served:
        written[f"knative/routes/{declaration.service}.yaml"] = documents(
            [_http_route(declaration, trigger)],
            f"the declaration in {declaration.module.replace('.', '/')}.py",
        )
    return written


def _http_route(declaration: Declaration, trigger: Http) -> Manifest:
    """Kourier finds a Service by its host, so the route rewrites the host and hands over to Kourier's inner door."""
    if "{" in trigger.path:
        path = {
            "type": "RegularExpression",
            "value": re.sub(r"\{\w+\}", "[^/]+", trigger.path),
        }
    else:
        path = {"type": "Exact", "value": trigger.path}
    methods = ["GET", "HEAD"] if trigger.method == "GET" else [trigger.method]
    host = f"{declaration.service}.{NAMESPACE}.svc.cluster.local"
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": declaration.service,
            "namespace": NAMESPACE,
            "labels": labels(declaration, "route"),
        },
        "spec": {
            "parentRefs": [{"name": "shop"}],
            "rules": [
                {
                    "matches": [{"method": method, "path": path} for method in methods],
                    "filters": [
                        {"type": "URLRewrite", "urlRewrite": {"hostname": host}},
                        {
                            "type": "RequestHeaderModifier",
                            "requestHeaderModifier": {"remove": list(ATTRIBUTES)},
                        },
                    ],
                    "backendRefs": [
                        {
                            "name": "kourier-internal",
                            "namespace": "kourier-system",
                            "port": 80,
                        }
                    ],
                }
            ],
        },
    }
