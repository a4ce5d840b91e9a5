"""Every setting of a function, read from the environment once per process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """Durations are in seconds, sizes in bytes."""

    database_url: str = ""
    db_pool: int = 8
    db_prepare: bool = True
    jwks_url: str = ""
    jwt_issuer: str = ""
    jwt_audience: str = "kn-shop"
    jwks_lifetime_s: float = 300.0
    provider_url: str = ""
    kubernetes_url: str = ""
    provider_webhook_secret: str = field(default="", repr=False)
    egress_guard: bool = True
    smtp_url: str = ""
    alerts_from: str = ""
    handler_timeout_s: float = 20.0
    stream_timeout_s: float = 80.0
    parked_after: int = 5
    gather_s: float = 0.05
    rate_limit_scale: float = 1.0
    trusted_proxies: int = 0
    log_level: str = "info"
    log_sample_rate: float = 0.0
    otlp_endpoint: str = ""
    version: str = "local"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        default = cls()
        return cls(
            database_url=environ.get("DATABASE_URL", ""),
            db_pool=int(environ.get("DB_POOL", default.db_pool)),
            db_prepare=environ.get("DB_PREPARE", "on") != "off",
            jwks_url=environ.get("JWKS_URL", ""),
            jwt_issuer=environ.get("JWT_ISSUER", ""),
            jwt_audience=environ.get("JWT_AUDIENCE", default.jwt_audience),
            jwks_lifetime_s=float(environ.get("JWKS_LIFETIME_S", default.jwks_lifetime_s)),
            provider_url=environ.get("PROVIDER_URL", "").rstrip("/"),
            kubernetes_url=environ.get("KUBERNETES_URL", "").rstrip("/"),
            provider_webhook_secret=environ.get("PROVIDER_WEBHOOK_SECRET", ""),
            egress_guard=environ.get("EGRESS_GUARD", "on") != "off",
            smtp_url=environ.get("SMTP_URL", ""),
            alerts_from=environ.get("ALERTS_FROM", ""),
            handler_timeout_s=float(environ.get("HANDLER_TIMEOUT_S", default.handler_timeout_s)),
            stream_timeout_s=float(environ.get("STREAM_TIMEOUT_S", default.stream_timeout_s)),
            gather_s=float(environ.get("GATHER_S", default.gather_s)),
            parked_after=int(environ.get("PARKED_AFTER", default.parked_after)),
            rate_limit_scale=float(environ.get("RATE_LIMIT_SCALE", default.rate_limit_scale)),
            trusted_proxies=int(environ.get("TRUSTED_PROXIES", default.trusted_proxies)),
            log_level=environ.get("LOG_LEVEL", default.log_level).lower(),
            log_sample_rate=float(environ.get("LOG_SAMPLE_RATE", default.log_sample_rate)),
            otlp_endpoint=environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            version=environ.get("K_REVISION", default.version),
        )


def settings() -> Settings:
    return Settings.from_environment(os.environ)
