"""The deployer makes the topics as they are listed, once."""

from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from infra.kafka import Broker
from infra.manifests.topics import make_topics
from infra.manifests.triggers import topics
from shared.runtime.declare import Declaration
from shared.runtime.events import PARTITIONS


def test_topics_are_made_as_listed_and_only_once(kafka: Broker, declarations: list[Declaration]) -> None:
    made = make_topics(kafka.bootstrap, 1, declarations)  # another test may have made some, with other settings

    assert make_topics(kafka.bootstrap, 1, declarations) == []
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        listed = [topic.name for topic in topics(declarations)]
        shapes: dict[str, Any] = {one["name"]: one for one in admin.describe_topics(listed)}
        letters = ConfigResource(ConfigResourceType.TOPIC, "shop.dead.hold-stock")
        kept = str(admin.describe_configs([letters]))
    finally:
        admin.close()
    assert set(made) <= {topic.name for topic in topics(declarations)}
    assert {len(one["partitions"]) for one in shapes.values()} == {PARTITIONS}
    assert str(30 * 86_400_000) in kept
