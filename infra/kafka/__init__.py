"""A real Apache Kafka without a container: the jars from Maven Central on a Java runtime that comes as a wheel."""

from infra.kafka.broker import Broker, start

__all__ = ["Broker", "start"]
