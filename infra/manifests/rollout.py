"""`make deploy` and `make undeploy`: the whole shop to a cluster with Knative, and off it again."""

import asyncio
import hashlib
import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from infra.local.issuer import Issuer
from infra.manifests import ROOT
from infra.manifests.cluster import OWNED, Cluster, ClusterRefused, summary
from infra.manifests.database import RELAY, grant_logins, registered, revoke_logins
from infra.manifests.kubernetes import IMAGE, NAMESPACE, Manifest
from infra.manifests.plan import Plan
from infra.manifests.smoke import Door, SmokeFailed, smoke
from infra.manifests.topics import make_topics
from infra.postgres.migrate import migrate
from shared.runtime.declare import Declaration

Say = Callable[[str], None]

SERVICES = "services.serving.knative.dev"
KAFKA_SOURCES = "kafkasources.sources.knative.dev"
KAFKA_SINKS = "kafkasinks.eventing.knative.dev"
EVENT_TYPES = "eventtypes.eventing.knative.dev"
PINGS = "pingsources.sources.knative.dev"
FINALIZED = (
    KAFKA_SINKS,
    "consumergroups.internal.kafka.eventing.knative.dev",
    "consumers.internal.kafka.eventing.knative.dev",
)
WATCHER = "watch-functions"
TOLD_WITHIN_S = 60
"""The watcher looks four times a minute."""
AT_A_TIME = 6
"""Services rolled out together: each starts an instance, and all of them at once would starve a small node."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is applied first, then the Services, then what calls them."""

    first: list[Manifest]
    services: list[Manifest]
    sources: list[Manifest]

    @property
    def all(self) -> list[Manifest]:
        return [*self.first, *self.services, *self.sources]

    @property
    def around(self) -> list[Manifest]:
        return [*self.first, *self.sources]


class NotDeployed(Exception):
    """Why, in words for whoever deploys."""


def deploy(plan: Plan, declarations: Sequence[Declaration], say: Say) -> None:
    """Brings the cluster to what is declared; what is so already is left alone. Raises NotDeployed, ClusterRefused."""
    cluster = Cluster(plan.context)
    for needed in (SERVICES, PINGS, EVENT_TYPES):
        if not cluster.has(needed):
            raise NotDeployed(f"The cluster does not know {needed}: install Knative Serving and Eventing first.")
    has_sources = cluster.has(KAFKA_SOURCES) and cluster.has(KAFKA_SINKS)
    if not has_sources and not plan.stand_in:
        raise NotDeployed("The cluster has no KafkaSource: install it, or deploy with --stand-in.")

    applied = migrate(plan.database_url)
    say(f"database: {', '.join(applied) if applied else 'up to date'}")
    made = make_topics(plan.kafka_address or plan.kafka, plan.replication, declarations)
    say(f"topics: {len(made)} made" if made else "topics: up to date")

    cluster.apply(_read("knative/namespace.yaml"))
    roles = {f"db-{declaration.service}": declaration.role for declaration in declarations} | {"db-relay": RELAY}
    new = grant_logins(cluster, plan.database_url, plan.database_address, roles)
    say(f"logins: {len(new)} of {len(roles)} made new" if new else f"logins: all {len(roles)} as they were")
    issuer = issuer_of(cluster, plan)

    rendered = render(plan, issuer, has_sources)
    say("checking all manifests on the server ...")
    cluster.check(rendered.all)
    changed = cluster.diff(rendered.all)
    say(summary(changed) if changed else "manifests: nothing to change")
    if changed:
        _roll_out(cluster, plan, rendered, say)
    _prune(cluster, rendered, has_sources, say)
    revoke_logins(plan.database_url, roles.values())

    _wait(cluster, plan, rendered)
    say(
        f"ready: {len(rendered.services)} Services, {len(rendered.sources)} triggers, sinks, deliveries and event types"
    )
    if plan.smoke:
        _smoke(cluster, plan, issuer, say)


def undeploy(context: str, database_url: str | None, timeout_s: int, say: Say) -> None:
    """Takes the namespace with all that is in it, and the logins; data, topics and what is in them stay."""
    cluster = Cluster(context)
    if database_url:
        _deregister(cluster, database_url, say)
    cluster.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")
    orphaned = [] if _has_data_plane(cluster) else [kind for kind in FINALIZED if cluster.has(kind)]
    deadline = monotonic() + timeout_s
    while cluster.run("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name").strip():
        for kind in orphaned:
            for name in cluster.let_go(kind):
                say(f"let go {kind} {name}: there is no data plane that would clean up after it")
        if monotonic() > deadline:
            raise ClusterRefused(f"the namespace {NAMESPACE} is still being deleted after {timeout_s} s")
        sleep(2)
    say(f"namespace {NAMESPACE}: gone")
    if database_url:
        say(f"logins: {len(revoke_logins(database_url))} closed")


def _deregister(cluster: Cluster, database_url: str, say: Say) -> None:
    """Takes off all functions but the one that tells of it, and gives that one time for another look."""
    names = [name for one in cluster.all(SERVICES) if (name := str(one["metadata"]["name"])) != WATCHER]
    if not names:
        return
    cluster.run("-n", NAMESPACE, "delete", SERVICES, *names, "--wait=false")
    deadline = monotonic() + TOLD_WITHIN_S
    while left := registered(database_url, WATCHER):
        if monotonic() > deadline:
            say(f"deregistered: {left} functions were not told of")
            return
        sleep(2)
    say(f"deregistered: {len(names)} Services")


def _has_data_plane(cluster: Cluster) -> bool:
    """Whether something acts on KafkaSources and KafkaSinks; without it their deletion would never be confirmed."""
    names = ("statefulset/kafka-source-dispatcher", "deployment/kafka-sink-receiver")
    return bool(cluster.run("-n", "knative-eventing", "get", *names, "--ignore-not-found", "-o", "name").strip())


def issuer_of(cluster: Cluster, plan: Plan) -> Issuer | None:
    """The stand-in issuer where the plan names none; its key is kept in the cluster, so that it stays the same."""
    if plan.jwks_url:
        return None
    secret = cluster.get("secret", "issuer")
    if secret is None:
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        cluster.apply([_object("Secret", "issuer") | {"type": "Opaque", "stringData": {"key.pem": pem.decode()}}])
    else:
        pem = b64decode(secret["data"]["key.pem"])
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise NotDeployed("The Secret `issuer` holds another kind of key.")
    return Issuer(key, _settings(plan)["JWT_ISSUER"], _settings(plan)["JWT_AUDIENCE"])


def _settings(plan: Plan) -> dict[str, str]:
    (config,) = _read("knative/config.yaml")
    own = {"JWKS_URL": plan.jwks_url, "JWT_ISSUER": plan.jwt_issuer, "PROVIDER_URL": plan.provider_url}
    return {**config["data"], **{name: value for name, value in own.items() if value}}


def render(plan: Plan, issuer: Issuer | None, has_sources: bool) -> Rendered:
    settings = _settings(plan)
    kafka = {"KAFKA_BOOTSTRAP": plan.kafka, "KAFKA_REPLICATION": str(plan.replication)}
    digest = hashlib.sha256(
        json.dumps([settings, kafka, *filter(None, [plan.mark])], sort_keys=True).encode()
    ).hexdigest()[:12]
    first = [
        *_read("knative/policies.yaml"),
        _object("ConfigMap", "shop") | {"data": settings},
        _object("ConfigMap", "kafka") | {"data": kafka},
        *_read("triggers/topics.yaml"),
        *_read("knative/workloads/relay.yaml"),
    ]
    if issuer is not None:
        first.append(_object("ConfigMap", "jwks") | {"data": {"jwks.json": issuer.jwks.decode()}})
        first += _read("knative/workloads/issuer.yaml")
    if plan.provider_url is None:
        first += _read("knative/workloads/provider.yaml")
    services = [manifest for path in _files("knative/shop/ksvc") for manifest in _read(path)]
    sources = [manifest for path in _files("triggers") for manifest in _read(path) if path != "triggers/topics.yaml"]
    sources += [manifest for path in _files("knative/eventtypes") for manifest in _read(path)]
    if not has_sources:
        sources = [manifest for manifest in sources if manifest["kind"] in ("PingSource", "EventType")]
    if plan.stand_in:
        sources += _read("knative/workloads/delivery.yaml")
    for manifest in (*first, *services, *sources):
        _fit(manifest, plan, digest)
    return Rendered(first, services, sources)


def _fit(manifest: Manifest, plan: Plan, digest: str) -> None:
    """Puts this deployment's image, brokers and settings in the place of the committed ones."""
    spec = manifest.get("spec", {})
    if "bootstrapServers" in spec:
        spec["bootstrapServers"] = [plan.kafka]
    if manifest["kind"] not in ("Service", "Deployment") or "template" not in spec:
        return
    template = spec["template"]
    # Settings are read at the start: another digest makes new instances.
    template["metadata"].setdefault("annotations", {})["kn-shop/settings"] = digest
    for container in template["spec"]["containers"]:
        if container["image"] == IMAGE:
            container["image"] = plan.image


def _roll_out(cluster: Cluster, plan: Plan, rendered: Rendered, say: Say) -> None:
    cluster.apply(rendered.first)
    cluster.wait("deployment", _names(rendered.first, "Deployment"), "Available", plan.timeout_s)
    for start in range(0, len(rendered.services), AT_A_TIME):
        batch = rendered.services[start : start + AT_A_TIME]
        cluster.apply(batch)
        cluster.wait(SERVICES, _names(batch, "Service"), "Ready", plan.timeout_s)
        say(f"ready: {', '.join(_names(batch, 'Service'))}")
    cluster.apply(rendered.sources)


def _wait(cluster: Cluster, plan: Plan, rendered: Rendered) -> None:
    cluster.wait("deployment", _names(rendered.around, "Deployment"), "Available", plan.timeout_s)
    cluster.wait(SERVICES, _names(rendered.services, "Service"), "Ready", plan.timeout_s)
    cluster.wait(PINGS, _names(rendered.sources, "PingSource"), "Ready", plan.timeout_s)
    if not plan.stand_in:  # with the stand-in there is no data plane that would make them ready
        cluster.wait(KAFKA_SINKS, _names(rendered.sources, "KafkaSink"), "Ready", plan.timeout_s)
        cluster.wait(KAFKA_SOURCES, _names(rendered.sources, "KafkaSource"), "Ready", plan.timeout_s)


def _prune(cluster: Cluster, rendered: Rendered, has_sources: bool, say: Say) -> None:
    kinds = {
        PINGS: "PingSource",
        EVENT_TYPES: "EventType",
        "deployment": "Deployment",
        "service": "Service",
        "configmap": "ConfigMap",
    }
    if has_sources:
        kinds = {KAFKA_SOURCES: "KafkaSource", KAFKA_SINKS: "KafkaSink"} | kinds
    kept = {resource: _names(rendered.around, kind) for resource, kind in kinds.items()}
    kept[SERVICES] = _names(rendered.services, "Service")
    for resource, names in kept.items():
        for name in cluster.prune(resource, names):
            say(f"removed {resource} {name}")


def _smoke(cluster: Cluster, plan: Plan, issuer: Issuer | None, say: Say) -> None:
    gateway = cluster.get(SERVICES, "api")
    if gateway is None:
        raise NotDeployed("The gateway is not there.")
    tokens = tokens_of(plan, issuer)
    if tokens is None:
        say("smoke order: left out (with an issuer of your own it needs SMOKE_ADMIN_TOKEN and SMOKE_CUSTOMER_TOKEN)")
        return
    door = Door(gateway["status"]["url"], plan.ingress)
    say(f"smoke order at {door.url} ...")
    try:
        asyncio.run(smoke(door, *tokens, plan.timeout_s, say))
    except SmokeFailed as failed:
        raise NotDeployed(f"Everything is ready, but the smoke order failed: {failed}") from None


def tokens_of(plan: Plan, issuer: Issuer | None) -> tuple[str, str] | None:
    """Of an admin and of a customer; None where the issuer is not ours and none were given."""
    if issuer is None:
        return plan.smoke_tokens
    return issuer.token("smoke-admin", "admin", "operator"), issuer.token("smoke-customer", "customer")


def _object(kind: str, name: str) -> Manifest:
    labels = {"app.kubernetes.io/part-of": "kn-shop", **OWNED}
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
    }


def _names(manifests: Iterable[Manifest], kind: str) -> list[str]:
    return [manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == kind]


def _files(directory: str) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / directory).glob("*.yaml"))]


def _read(path: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all((ROOT / path).read_text()) if document]


__all__ = ["ClusterRefused", "NotDeployed", "Plan", "deploy", "undeploy"]
