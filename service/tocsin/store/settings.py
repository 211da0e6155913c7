"""Where the store is, and how long it keeps what."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from tocsin.section import Duration, Section


class StoreSettings(Section):
    """Where accepted alerts live, and for how long."""

    path: str = Field(
        "tocsin.db",
        description="SQLite file on a local disk (WAL does not work over NFS); -wal and -shm files lie beside it.",
    )
    url: SecretStr | None = Field(
        None,
        description="PostgreSQL in place of the file, for several replicas: "
        "postgresql://user:password@host:5432/database. A mirror of the GitOps repository still lies beside `path`.",
    )
    url_file: Path | None = Field(None, description="File that holds `url`.")
    keep_events: Duration = Field(
        timedelta(days=7), gt=timedelta(0), description="Webhooks that were fully processed are deleted after this."
    )
    keep_incidents: Duration = Field(
        timedelta(days=90),
        gt=timedelta(0),
        description="Closed incidents, with their messages, are deleted after this.",
    )

    @field_validator("url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        """Says nothing of the value: it holds a password."""
        if value is None:
            return None
        try:
            parts = urlsplit(value.get_secret_value())
            named = parts.path.strip("/")
        except ValueError:
            raise ValueError("it is no URL; write it like postgresql://user:password@host:5432/database") from None
        if parts.scheme not in ("postgresql", "postgres") or not named:
            raise ValueError("it must look like postgresql://user:password@host:5432/database")
        return value
