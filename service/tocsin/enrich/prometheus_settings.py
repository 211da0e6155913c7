"""What can be set about Prometheus."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from tocsin.enrich import promql
from tocsin.section import Duration, Section


class PrometheusSettings(Section):
    """Where metrics of Hubble, cAdvisor and kube-state-metrics are asked for."""

    url: str | None = Field(
        None, description="Address of Prometheus, Thanos or another with its API. Left out, nothing is looked up there."
    )
    timeout: Duration = Field(
        timedelta(seconds=4), gt=timedelta(0), description="Longest time for one query; keep it below enrich.deadline."
    )
    token: SecretStr | None = Field(None, description="Bearer token.")
    token_file: Path | None = Field(None, description="File with the bearer token.")
    user: str = Field("", description="User for basic authentication.")
    password: SecretStr | None = Field(None, description="Password for basic authentication.")
    password_file: Path | None = Field(None, description="File with the password.")
    ca_file: Path | None = Field(None, description="Certificates to trust instead of the usual ones (PEM).")
    headers: dict[str, str] = Field(
        default_factory=dict, description="More HTTP headers, for example X-Scope-OrgID for a tenant."
    )
    extra_labels: dict[str, str] = Field(
        default_factory=dict,
        description="Labels every series must have, for a Prometheus that holds several clusters: {cluster: home}.",
    )
    threads: int = Field(4, ge=1, le=32, description="Queries that run at a time.")
    look_back: Duration = Field(
        timedelta(days=14), gt=timedelta(0), description="How far back is looked; Prometheus's retention or less."
    )
    rate_window: Duration = Field(
        timedelta(minutes=10),
        gt=timedelta(0),
        description="Window over which bytes per second are measured; at least 4 scrape intervals.",
    )
    interface: str = Field("eth0", description="Network interface of pods whose bytes are counted.")

    @field_validator("url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError("must look like http://prometheus.monitoring:9090, without user, password or query")
        return value.rstrip("/")

    @field_validator("extra_labels")
    @classmethod
    def _label_names(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not promql.is_label_name(name):
                raise ValueError(f'"{name}" is not a label name')
        return value

    @model_validator(mode="after")
    def _one_authentication(self) -> "PrometheusSettings":
        if self.token is not None and (self.user or self.password is not None):
            raise ValueError("token and user/password are both set; keep one")
        if (self.password is not None) != bool(self.user):
            raise ValueError("user and password belong together")
        return self
