"""Commands about the store itself."""

from pathlib import Path

import click

from tocsin.cli.options import config_option
from tocsin.cli.running import load


@click.group()
def store() -> None:
    """Back up and restore the SQLite file that holds what came in and what was told."""


@store.command()
@config_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(config: Path | None, file: Path) -> None:
    """Copy the store to FILE, also while the service runs. FILE is whole, checked and flushed, or not touched."""
    from tocsin.store import backup as backups  # noqa: PLC0415
    from tocsin.units import size  # noqa: PLC0415

    source = Path(load(config).store.path)
    click.echo(f"{source}: {size(backups.back_up(source, file))} copied to {file}")


@store.command()
@config_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def restore(config: Path | None, file: Path) -> None:
    """Put the backup FILE in the store's place. Stop the service first; the old file is kept beside it."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from tocsin.store import backup as backups  # noqa: PLC0415

    target = Path(load(config).store.path)
    kept = backups.restore(file, target, datetime.now(UTC))
    click.echo(f"{file} is now {target}" + (f"; what was there is {kept}" if kept else ""))
