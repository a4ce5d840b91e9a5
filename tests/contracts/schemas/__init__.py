"""The schemas of the Kubernetes objects that this project writes, as an API server with Knative publishes them."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

Schema = dict[str, Any]


def file_of(api_version: str) -> Path:
    """Where the schemas of `serving.knative.dev/v1` lie."""
    return HERE / f"{api_version.replace('/', '-')}.json"


def of_kinds(api_version: str) -> dict[str, Schema]:
    """A group's schemas by kind. Raises FileNotFoundError for one that was never taken."""
    schemas: dict[str, Schema] = json.loads(file_of(api_version).read_text())
    return schemas
