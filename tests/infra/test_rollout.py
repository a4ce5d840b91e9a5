"""What is sent to a cluster: the committed manifests with this deployment's image, brokers and settings in them."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.local.issuer import Issuer
from infra.manifests.cluster import summary
from infra.manifests.rollout import Plan, render

PLAN = Plan(
    context="",
    image="images.example/shop:7",
    database_url="postgresql://owner@db.example/shop",
    database_address=None,
    kafka="broker-1.example:9092",
    kafka_address=None,
    replication=3,
    jwks_url=None,
    jwt_issuer=None,
    provider_url=None,
    stand_in=False,
    ingress=None,
    smoke_tokens=None,
    mark="",
    timeout_s=1,
)
OWN = replace(
    PLAN, jwks_url="https://id.example/keys", jwt_issuer="https://id.example", provider_url="https://pay.example"
)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer(Ed25519PrivateKey.generate(), "https://issuer.example", "kn-shop")


def named(manifests: list[dict[str, Any]], kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in manifests if one["kind"] == kind}


def settings(manifests: list[dict[str, Any]]) -> set[str]:
    """The digests that make new instances when a setting changes."""
    return {
        one["spec"]["template"]["metadata"]["annotations"]["kn-shop/settings"]
        for one in manifests
        if "template" in one.get("spec", {})
    }


def test_every_container_runs_the_image_that_was_asked_for(issuer: Issuer) -> None:
    containers = [
        container
        for one in render(PLAN, issuer, has_sources=True).all
        if "template" in one.get("spec", {})
        for container in one["spec"]["template"]["spec"]["containers"]
    ]
    assert len(containers) > 40
    assert {container["image"] for container in containers} == {PLAN.image}


def test_every_source_and_sink_reads_and_writes_the_brokers_that_were_asked_for(issuer: Issuer) -> None:
    rendered = render(PLAN, issuer, has_sources=True)
    brokers = [one["spec"]["bootstrapServers"] for one in rendered.all if "bootstrapServers" in one.get("spec", {})]
    (kafka,) = (one for one in rendered.first if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "kafka")

    assert brokers == [[PLAN.kafka]] * len(brokers)
    assert kafka["data"] == {"KAFKA_BOOTSTRAP": PLAN.kafka, "KAFKA_REPLICATION": "3"}


def test_stand_ins_fill_what_is_not_given(issuer: Issuer) -> None:
    assert named(render(PLAN, issuer, has_sources=True).all, "Deployment") == {"relay", "issuer", "provider"}
    standing_in = render(replace(PLAN, stand_in=True), issuer, has_sources=True)
    assert named(standing_in.all, "Deployment") == {"relay", "issuer", "provider", "delivery"}


def test_no_stand_in_is_left_where_all_is_given() -> None:
    rendered = render(OWN, None, has_sources=True)
    (shop,) = (one for one in rendered.first if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "shop")

    assert named(rendered.all, "Deployment") == {"relay"}
    assert shop["data"]["JWKS_URL"] == OWN.jwks_url
    assert shop["data"]["JWT_ISSUER"] == OWN.jwt_issuer
    assert shop["data"]["PROVIDER_URL"] == OWN.provider_url


def test_without_kafka_sources_none_is_sent(issuer: Issuer) -> None:
    rendered = render(replace(PLAN, stand_in=True), issuer, has_sources=False)

    assert named(rendered.all, "KafkaSource") | named(rendered.all, "KafkaSink") == set()
    assert named(rendered.all, "PingSource")


def test_another_setting_makes_new_instances(issuer: Issuer) -> None:
    before, same, after = (
        settings(render(plan, issuer, has_sources=True).all)
        for plan in (PLAN, PLAN, replace(PLAN, provider_url="https://pay.example"))
    )
    assert before == same
    assert len(before) == 1
    assert before.isdisjoint(after)


def test_what_is_new_is_named_and_what_changes_is_shown() -> None:
    said = summary(
        "diff -u -N /tmp/LIVE-1/v1.ConfigMap.shop.kafka /tmp/MERGED-1/v1.ConfigMap.shop.kafka\n"
        "--- /tmp/LIVE-1/v1.ConfigMap.shop.kafka\n+++ /tmp/MERGED-1/v1.ConfigMap.shop.kafka\n"
        "@@ -0,0 +1,2 @@\n+apiVersion: v1\n+data:\n"
        "diff -u -N /tmp/LIVE-1/v1.ConfigMap.shop.shop /tmp/MERGED-1/v1.ConfigMap.shop.shop\n"
        "--- /tmp/LIVE-1/v1.ConfigMap.shop.shop\n+++ /tmp/MERGED-1/v1.ConfigMap.shop.shop\n"
        "@@ -1,2 +1,2 @@\n-  LOG_LEVEL: info\n+  LOG_LEVEL: debug\n"
    )
    assert said.splitlines()[-1] == "new: v1.ConfigMap kafka"
    assert "+  LOG_LEVEL: debug" in said
    assert "+apiVersion: v1" not in said
