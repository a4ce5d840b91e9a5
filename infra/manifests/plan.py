"""What whoever deploys has to say: the options of `make deploy`, each with its environment variable."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Plan:
    """What the deployer is told. `None` leaves a part to the stand-in that the shop brings along.

    Another `mark` than the last one makes new instances of everything.
    """

    context: str
    image: str
    database_url: str
    database_address: str | None
    kafka: str
    kafka_address: str | None
    replication: int
    jwks_url: str | None
    jwt_issuer: str | None
    provider_url: str | None
    stand_in: bool
    ingress: str | None
    mark: str
    timeout_s: int
    smoke_tokens: tuple[str, str] | None
    smoke: bool = True


CONTEXT = click.option("--context", default="", help="kubectl's context; by default its current one.")
OPTIONS = (
    CONTEXT,
    click.option("--image", envvar="IMAGE", required=True, help="The shop's image, with a tag of its own per build."),
    click.option(
        "--database-url", envvar="DATABASE_URL", required=True, help="An owner's login, as this machine reaches it."
    ),
    click.option(
        "--database-address", envvar="DATABASE_ADDRESS", help="host:port as pods reach it, where that differs."
    ),
    click.option("--kafka", envvar="KAFKA_BROKERS", required=True, help="Bootstrap brokers, as pods reach them."),
    click.option("--kafka-address", envvar="KAFKA_ADDRESS", help="The same as this machine reaches them."),
    click.option("--replication", envvar="KAFKA_REPLICATION", default=1, help="Copies of each topic made."),
    click.option("--jwks-url", envvar="JWKS_URL", help="Your issuer's keys; without it a stand-in issuer is deployed."),
    click.option("--jwt-issuer", envvar="JWT_ISSUER", help="What your issuer calls itself in `iss`."),
    click.option(
        "--provider-url", envvar="PROVIDER_URL", help="The payment provider; without it a stand-in is deployed."
    ),
    click.option(
        "--stand-in", envvar="STAND_IN", is_flag=True, help="Deliver events by a stand-in for KafkaSource's dispatcher."
    ),
    click.option(
        "--ingress", envvar="INGRESS", help="URL of the ingress, where the gateway's host name does not resolve."
    ),
    click.option("--mark", envvar="MARK", default="", help="Any word; another one than last time restarts everything."),
    click.option("--timeout", "timeout_s", default=300, help="Seconds to wait for any one step."),
)


def deployment(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options of a deployment, as its argument `plan`."""

    @wraps(command)
    def with_plan(**given: Any) -> Any:
        own = {name: given.pop(name) for name in list(given) if name not in Plan.__dataclass_fields__}
        own |= {"smoke": given.pop("smoke")} if "smoke" in given else {}
        admin, customer = os.environ.get("SMOKE_ADMIN_TOKEN"), os.environ.get("SMOKE_CUSTOMER_TOKEN")
        plan = Plan(**given, smoke_tokens=(admin, customer) if admin and customer else None)
        return command(plan=plan, **own)

    for option in reversed(OPTIONS):
        with_plan = option(with_plan)
    return with_plan
