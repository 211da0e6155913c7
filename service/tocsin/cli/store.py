"""Commands about the store itself."""

from pathlib import Path

import click

from tocsin.cli.options import config_option
from tocsin.cli.running import load
from tocsin.errors import ConfigurationError, TocsinError


@click.group()
def store() -> None:
    """Back up, restore and move what holds what came in and what was told."""


def _file(config: Path | None) -> Path:
    """Raises TocsinError where the store is no file."""
    settings = load(config).store
    if settings.url is not None:
        raise TocsinError("the store is PostgreSQL (store.url): back it up and restore it with its own tools")
    return Path(settings.path)


@store.command()
@config_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(config: Path | None, file: Path) -> None:
    """Copy the store to FILE, also while the service runs. FILE is whole, checked and flushed, or not touched."""
    from tocsin.store import backup as backups  # noqa: PLC0415
    from tocsin.units import size  # noqa: PLC0415

    source = _file(config)
    click.echo(f"{source}: {size(backups.back_up(source, file))} copied to {file}")


@store.command()
@config_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def restore(config: Path | None, file: Path) -> None:
    """Put the backup FILE in the store's place. Stop the service first; the old file is kept beside it."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from tocsin.store import backup as backups  # noqa: PLC0415

    target = _file(config)
    kept = backups.restore(file, target, datetime.now(UTC))
    click.echo(f"{file} is now {target}" + (f"; what was there is {kept}" if kept else ""))


@store.command("copy")
@config_option
def copy_to_postgresql(config: Path | None) -> None:
    """Copy the SQLite file at store.path to the empty PostgreSQL database at store.url. Stop the service first.

    All or nothing, in one transaction; the file is left as it is.
    """
    from datetime import UTC, datetime  # noqa: PLC0415

    from tocsin.store import transfer  # noqa: PLC0415
    from tocsin.units import count  # noqa: PLC0415

    settings = load(config).store
    if settings.url is None:
        raise ConfigurationError("store.url: set it, or store.url_file, to where the store shall be")
    for table, rows in transfer.copy(Path(settings.path), settings.url.get_secret_value(), datetime.now(UTC)).items():
        click.echo(f"{table:10} {count(rows, 'row')}")
