"""Knative Services: one per function, and `api`, the one door to them from outside."""

from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim

from infra.manifests import Files
from infra.manifests.kubernetes import (
    IMAGE,
    NAMESPACE,
    RESTRICTED,
    Manifest,
    documents,
    labels,
    trigger_kind,
)
from shared.runtime.declare import Declaration, Http, OnEvent, Timer
from shared.runtime.events import PARTITIONS

TIMEOUT_S = 90
"""More than a handler's 20 s, a KafkaSource's 30 s and a stream's 80 s; also the grace that Knative gives when it
drains an instance."""

QUEUE_CPU = "10m"
"""What the queue-proxy asks for, by default as much as the warmest functions; idle ones need next to nothing, and
hundreds of functions are mostly idle."""

PROXIES = 2
"""What stands before the gateway and adds to X-Forwarded-For: the ingress, and the queue-proxy in its own pod."""


IDLE_S = 90
"""How long Knative leaves an idle instance by default: a window of 60 s, and the grace of 30 s for the last one."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Instances at least and at most, calls at a time in one, database connections of one, and why."""

    least: int
    most: int
    concurrency: int
    pool: int
    reason: str
    cpu: str = "10m"


def scale(declaration: Declaration) -> Scale:
    match declaration.trigger:
        case Http() if declaration.warm:
            return Scale(1, 5, 16, 4, "a customer waits for it, so one instance is always there", cpu="25m")
        case Http():
            return Scale(
                0,
                5,
                16,
                4,
                "called now and then: a cold start is cheaper than an idle instance",
            )
        case OnEvent():
            least = 1 if declaration.warm else 0
            return Scale(
                least,
                2,
                PARTITIONS,
                4,
                f"one event at a time from each of {PARTITIONS} partitions of a topic",
            )
        case Timer() as timer if _every_s(timer) <= IDLE_S:
            return Scale(1, 1, 1, 2, "one run at a time; it ticks before an idle instance would be gone")
        case Timer():
            return Scale(0, 1, 1, 2, "one run at a time; it finds its work by state")


def _every_s(timer: Timer) -> float:
    """Seconds from one tick to the next."""
    ticks = CronSim(timer.schedule, datetime(2026, 1, 1, tzinfo=UTC))
    first, second = next(ticks), next(ticks)
    return (second - first).total_seconds()


def files(declarations: list[Declaration]) -> Files:
    written = {
        f"knative/{NAMESPACE}/ksvc/{declaration.service}.yaml": documents(
            [_service(declaration)],
            f"the declaration in {declaration.module.replace('.', '/')}.py",
        )
        for declaration in declarations
    }
    return written | {f"knative/{NAMESPACE}/ksvc/api.yaml": documents([_gateway()], "infra/manifests/services.py")}


def _service(declaration: Declaration) -> Manifest:
    chosen = scale(declaration)
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": declaration.service,
            "namespace": NAMESPACE,
            "labels": {
                **labels(declaration, "function"),
                "kn-shop/trigger": trigger_kind(declaration),
                "networking.knative.dev/visibility": "cluster-local",
            },
            "annotations": _annotations(declaration),
        },
        "spec": {
            "template": {
                "metadata": {
                    "labels": labels(declaration, "function"),
                    "annotations": {
                        "autoscaling.knative.dev/min-scale": str(chosen.least),
                        "autoscaling.knative.dev/max-scale": str(chosen.most),
                        "queue.sidecar.serving.knative.dev/cpu-resource-request": QUEUE_CPU,
                        "kn-shop/scale-reason": chosen.reason,
                    },
                },
                "spec": {
                    **_account(declaration),
                    "containerConcurrency": chosen.concurrency,
                    "timeoutSeconds": TIMEOUT_S,
                    "containers": [
                        {
                            "name": "function",
                            "image": IMAGE,
                            "command": ["python3", "-m", "functions_framework"],
                            "args": [
                                "--source",
                                "main.py",
                                "--target",
                                declaration.name,
                                "--asgi",
                            ],
                            "env": [
                                {
                                    "name": "DATABASE_URL",
                                    "valueFrom": {
                                        "secretKeyRef": {
                                            "name": f"db-{declaration.service}",
                                            "key": "url",
                                        }
                                    },
                                },
                                {"name": "DB_POOL", "value": str(chosen.pool)},
                                *([KUBERNETES] if declaration.discovers else ()),
                                *_secrets(declaration),
                            ],
                            "envFrom": [{"configMapRef": {"name": "shop"}}],
                            **_running(chosen.cpu, "96Mi", "256Mi"),
                        }
                    ],
                    "volumes": [SCRATCH],
                },
            }
        },
    }


def _account(declaration: Declaration) -> Manifest:
    """Knative lets a Service refuse its account's token, and say nothing else of it."""
    if declaration.discovers:
        return {"serviceAccountName": DISCOVERY}
    return {"serviceAccountName": "function", "automountServiceAccountToken": False}


def _secrets(declaration: Declaration) -> list[Manifest]:
    """Its own settings; a Secret that is not there leaves them empty."""
    return [
        {
            "name": name,
            "valueFrom": {"secretKeyRef": {"name": declaration.service, "key": name, "optional": True}},
        }
        for name in declaration.secrets
    ]


DISCOVERY = "discovery"
"""The one service account that may use the Kubernetes API: it reads the namespace's Services and revisions."""

KUBERNETES: Manifest = {"name": "KUBERNETES_URL", "value": "https://kubernetes.default.svc"}

SCRATCH: Manifest = {
    "name": "scratch",
    "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"},
}
"""The server keeps its workers' heartbeat in /tmp; nothing else is written anywhere."""


def _running(cpu: str, memory: str, most_memory: str) -> Manifest:
    return {
        "ports": [{"name": "http1", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/health/ready"}, "timeoutSeconds": 3},
        "livenessProbe": {
            "httpGet": {"path": "/health/live"},
            "initialDelaySeconds": 10,
            "periodSeconds": 10,
            "timeoutSeconds": 5,
        },
        "resources": {
            "requests": {"cpu": cpu, "memory": memory},
            "limits": {"memory": most_memory},
        },
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108 (a mount of its own)
    }


def _annotations(declaration: Declaration) -> dict[str, str]:
    said = {"kn-shop/use-case": declaration.summary}
    match declaration.trigger:
        case Http() as http:
            said["kn-shop/route"] = f"{http.method} {http.path}"
            said["kn-shop/roles"] = " ".join(http.roles)
        case OnEvent() as event:
            said["kn-shop/consumes"] = " ".join(sorted(kind.type for kind in event.events)) or " ".join(event.topics)
        case Timer() as timer:
            said["kn-shop/schedule"] = timer.schedule
    for verb, tables in (("reads", declaration.reads), ("writes", declaration.writes)):
        if tables:
            said[f"kn-shop/{verb}"] = " ".join(sorted({table.fullname for table in tables}))
    if declaration.emits:
        said["kn-shop/emits"] = " ".join(sorted({kind.type for kind in declaration.emits}))
    return said


def _gateway() -> Manifest:
    own = {
        "app.kubernetes.io/name": "api",
        "app.kubernetes.io/component": "gateway",
        "app.kubernetes.io/part-of": "kn-shop",
        "app.kubernetes.io/managed-by": "kn-shop",
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": "api",
            "namespace": NAMESPACE,
            "labels": own,
            "annotations": {"kn-shop/use-case": "Route each method and path to its function"},
        },
        "spec": {
            "template": {
                "metadata": {
                    "labels": own,
                    "annotations": {
                        "autoscaling.knative.dev/min-scale": "1",
                        "autoscaling.knative.dev/max-scale": "5",
                        # The activator, now in the way and now not, would change how many proxies stand before us.
                        "autoscaling.knative.dev/target-burst-capacity": "0",
                        "kn-shop/scale-reason": "every call passes here",
                    },
                },
                "spec": {
                    "serviceAccountName": "function",
                    "automountServiceAccountToken": False,
                    "containerConcurrency": 200,
                    "timeoutSeconds": TIMEOUT_S,
                    "containers": [
                        {
                            "name": "gateway",
                            "image": IMAGE,
                            "command": ["python3", "-m", "infra.gateway"],
                            "env": [
                                {
                                    "name": "UPSTREAM",
                                    "value": f"http://{{service}}.{NAMESPACE}.svc.cluster.local",
                                },
                                {"name": "TRUSTED_PROXIES", "value": str(PROXIES)},
                            ],
                            **_running("50m", "64Mi", "256Mi"),
                        }
                    ],
                    "volumes": [SCRATCH],
                },
            }
        },
    }
