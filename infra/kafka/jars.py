"""Apache Kafka's jars, fetched once from Maven Central into the user's cache; offline from then on."""

from fcntl import LOCK_EX, flock
from pathlib import Path

import jgo
from platformdirs import user_cache_path

VERSION = "4.3.1"
COORDINATES = f"org.apache.kafka:kafka_2.13:{VERSION}+org.slf4j:slf4j-simple:1.7.36"


def jars() -> Path:
    """The directory of the jars. Of several processes that ask at once, one fetches and the others wait."""
    cache = user_cache_path("kn-shop") / f"kafka-{VERSION}"
    ready = cache / "jars"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not ready.exists():
            environment = jgo.build(COORDINATES, cache_dir=cache / "jgo")
            fetched = cache / "fetched"
            fetched.mkdir(exist_ok=True)
            for jar in environment.path.rglob("*.jar"):
                target = fetched / jar.name
                target.unlink(missing_ok=True)
                target.hardlink_to(jar)
            fetched.rename(ready)
    return ready
