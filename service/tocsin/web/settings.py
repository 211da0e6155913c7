"""Where tocsin listens, and who may post."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr, model_validator

from tocsin.section import Duration, Section


class ServerSettings(Section):
    """The HTTP server."""

    host: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104 - a pod is reached on its own address
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one and logs it.")
    tls_cert: Path | None = Field(None, description="PEM certificate chain; with tls_key, the server speaks TLS only.")
    tls_key: Path | None = Field(None, description="PEM private key of tls_cert.")
    bearer: SecretStr | None = Field(
        None, min_length=1, description="Token that Alertmanager sends as `Authorization: Bearer`."
    )
    bearer_file: Path | None = Field(None, description="File that holds `bearer`.")
    username: str = Field("", description="User for basic authentication, together with `password`.")
    password: SecretStr | None = Field(None, min_length=1, description="Password for basic authentication.")
    password_file: Path | None = Field(None, description="File that holds `password`.")
    max_body: int = Field(
        32 * 1024 * 1024,
        ge=1024,
        description="Largest webhook in bytes, unpacked; a larger one is answered 413. Alertmanager sends one body of "
        "10 MB for a group of 9,500 alerts, and what was answered 413 comes back for ever, so keep it generous. "
        "Reading one takes about seven times its size of memory.",
    )
    max_in_flight: int = Field(
        256, ge=1, description="Webhooks stored at a time; more are answered 503, which Alertmanager retries."
    )
    max_in_flight_bytes: int = Field(
        48 * 1024 * 1024,
        ge=1024,
        description="Bytes of webhooks read or stored at a time, together; what is too much is answered 503. One "
        "webhook alone is always taken, up to max_body.",
    )
    max_connections: int = Field(
        512,
        ge=1,
        description="Connections open at a time. For a further one the oldest is closed that still waits for its "
        "request, so that nobody is kept out by connections that send nothing.",
    )
    head_within: Duration = Field(
        timedelta(seconds=20),
        gt=timedelta(0),
        description="Time for the line and the headers of a request to arrive, from the opening of the connection or "
        "the answer before; so idle connections are closed after it. A body has 10 s more.",
    )
    drain: Duration = Field(
        timedelta(seconds=20),
        ge=timedelta(0),
        description="After SIGTERM, time to finish what is under way before it is left to the next start.",
    )

    @model_validator(mode="after")
    def _pairs(self) -> "ServerSettings":
        if (self.tls_cert is None) is not (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together; one of them is missing")
        if bool(self.username) is not (self.password is not None):
            raise ValueError("username and password belong together; one of them is missing")
        if self.bearer is not None and self.username:
            raise ValueError("choose bearer or username with password, not both")
        return self
