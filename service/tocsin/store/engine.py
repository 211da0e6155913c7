"""Which store the settings ask for. PostgreSQL's library is loaded only where it is configured."""

import contextlib
from collections.abc import Iterator

from tocsin.store import sqlite
from tocsin.store.database import Store, Transaction
from tocsin.store.settings import StoreSettings


def build(settings: StoreSettings) -> Store:
    """The store of a service, not yet open."""
    if settings.url is None:
        return sqlite.Sqlite(settings.path)
    from tocsin.store.postgres import Postgres  # noqa: PLC0415

    return Postgres(settings.url.get_secret_value())


@contextlib.contextmanager
def reading(settings: StoreSettings) -> Iterator[Transaction]:
    """A transaction that only reads, beside a running service.

    Raises StoreUnavailable where there is no store, or it cannot be read; also for what fails inside the block.
    """
    if settings.url is None:
        with sqlite.reading(settings.path) as tx:
            yield tx
        return
    from tocsin.store import postgres  # noqa: PLC0415

    with postgres.reading(settings.url.get_secret_value()) as tx:
        yield tx
