"""What several commands take: the configuration file, the GitOps repository, addresses and durations."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from datetime import timedelta

DEFAULT_CONFIGURATION = Path("/etc/tocsin/tocsin.yaml")

config_option = click.option(
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="TOCSIN_CONFIG",
    help=f"Configuration file. Default: $TOCSIN_CONFIG, else {DEFAULT_CONFIGURATION} if it exists, else none.",
)

repository_options = (
    click.option(
        "--repo",
        required=True,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The GitOps repository: a work tree or a bare repository. Only commits are read.",
    ),
    click.option("--rev", help="Commit, branch or tag to read. Default: what HEAD points to."),
    click.option(
        "--root",
        "roots",
        multiple=True,
        metavar="DIR",
        help="A directory that is applied to the cluster; may be given several times. Default: found.",
    ),
    click.option(
        "--path-template",
        "templates",
        multiple=True,
        metavar="TEMPLATE",
        help="Where a namespace is read from that nothing else tells. Default: kubernetes/apps/{namespace}/{app}/**.",
    ),
    click.option(
        "--apps",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Your apps.yaml. Default: the list of well-known apps that ships with tocsin.",
    ),
)


def with_repository(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(repository_options):
        command = option(command)
    return command


def http(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuses what is no http(s) URL."""
    try:
        parts = urlsplit(value or "http://none")
    except ValueError as failure:
        raise click.BadParameter(str(failure)) from failure
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter("it must look like http://alertmanager.monitoring:9093")
    return value


def duration(_: click.Context, __: click.Parameter, value: str) -> "timedelta":
    """Reads Prometheus's notation."""
    from tocsin.section import parse_duration  # noqa: PLC0415

    try:
        found: timedelta = parse_duration(value)
    except ValueError as failure:
        raise click.BadParameter(str(failure)) from failure
    return found
