"""The schema and its migrations, the same for every engine."""

from collections.abc import Callable
from pathlib import Path

from tocsin.errors import StoreUnavailable
from tocsin.store.database import Transaction

MIGRATIONS = Path(__file__).with_name("migrations")


def newest() -> int:
    """The version of the schema that this program works with."""
    return len(list(MIGRATIONS.glob("*.sql")))


def migrate(tx: Transaction, script: Callable[[str], object]) -> None:
    """Brings the schema to the newest version; a store of a newer program is refused.

    `script` runs several statements, each version's, in a transaction of their own; `tx` commits by itself.
    """
    tx.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    current = tx.execute("SELECT MAX(version) FROM schema_version").fetchone()[0] or 0
    refuse_newer(current)
    for version, file in enumerate(sorted(MIGRATIONS.glob("*.sql"))[current:], start=current + 1):
        script(f"{file.read_text(encoding='utf-8')}\nINSERT INTO schema_version VALUES ({version});")


def refuse_newer(version: int) -> None:
    """Raises StoreUnavailable for the schema of a newer program."""
    if version > newest():
        raise StoreUnavailable(f"the store has schema {version}, this tocsin knows {newest()}: run the newer tocsin")
