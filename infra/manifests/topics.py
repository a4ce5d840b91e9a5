"""The topics of a real Kafka, made as triggers/topics.yaml lists them."""

from collections.abc import Iterable

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from infra.carriers import CarrierError
from infra.carriers.kafka_client import RECORD_BYTES
from infra.manifests.triggers import DAY_MS, Topic, topics
from shared.runtime.declare import Declaration
from shared.runtime.events import PARTITIONS


def make_topics(address: str, replication: int, declarations: Iterable[Declaration]) -> list[str]:
    """Makes the topics that are missing and settles the others, as triggers/topics.yaml lists them.

    Gives the names of those it made. Raises CarrierError.
    """
    try:
        admin = KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=10_000)
        try:
            known = set(admin.list_topics())
            wanted = {topic.name: _configs(topic) for topic in topics(declarations)}
            missing = [name for name in wanted if name not in known]
            there = [ConfigResource(ConfigResourceType.TOPIC, name, wanted[name]) for name in wanted if name in known]
            if there:
                admin.alter_configs(there)
            if missing:
                shapes = {
                    name: {
                        "num_partitions": PARTITIONS,
                        "replication_factor": replication,
                        "configs": wanted[name],
                    }
                    for name in missing
                }
                admin.create_topics(shapes, timeout_ms=60_000, wait_for_metadata=True)
        finally:
            admin.close()
    except KafkaError as error:
        raise CarrierError(f"Kafka at {address}: {error}") from error
    return missing


def _configs(topic: Topic) -> dict[str, str]:
    return {"retention.ms": str(topic.retention_days * DAY_MS), "max.message.bytes": str(RECORD_BYTES)}
