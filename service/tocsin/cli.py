"""The command line. Every command loads what it needs when it runs, so that help is instant.

Exit codes: 0 done; 1 the command found or met a problem, and said so; 2 the command line or the configuration is wrong.
"""

import gc
import os
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

import click

from tocsin import __version__
from tocsin.errors import ConfigurationError, TocsinError

if TYPE_CHECKING:
    from tocsin.settings import Settings

T = TypeVar("T")

DEFAULT_CONFIGURATION = Path("/etc/tocsin/tocsin.yaml")

config_option = click.option(
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="TOCSIN_CONFIG",
    help=f"Configuration file. Default: $TOCSIN_CONFIG, else {DEFAULT_CONFIGURATION} if it exists, else none.",
)


def _http(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuses what is no http(s) URL."""
    try:
        parts = urlsplit(value or "http://none")
    except ValueError as failure:
        raise click.BadParameter(str(failure)) from failure
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter("it must look like http://alertmanager.monitoring:9093")
    return value


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConfigurationError as failure:
            click.echo(str(failure), err=True)
            ctx.exit(2)
        except TocsinError as failure:
            click.echo(f"tocsin: {failure}", err=True)
            ctx.exit(1)


@click.group(cls=_Group, epilog="Exit codes: 0 done, 1 a problem that was reported, 2 wrong usage or configuration.")
@click.version_option(__version__)
def main() -> None:
    """Turns Cilium egress alerts from Alertmanager into one message an operator can decide on."""


@main.command()
@config_option
def serve(config: Path | None) -> None:
    """Receive webhooks and deliver messages until SIGTERM."""
    _stay_small()
    from tocsin import app, log  # noqa: PLC0415
    from tocsin.boot import Boot  # noqa: PLC0415
    from tocsin.configuration import load  # noqa: PLC0415

    config = _existing(config)
    try:
        boot = load(Boot, config)
    except ConfigurationError:
        _load(config)  # raises with every other mistake as well
        raise
    log.configure(boot.log_level)
    _run(app.serve(boot, partial(_load, config)), loaded=False)


@main.command()
@config_option
@click.option("--offline", is_flag=True, help="Only read the configuration; ask no other system.")
def check(config: Path | None, offline: bool) -> None:
    """Check the configuration, then whether every system it names can be reached.

    Sends nothing. Mistakes are printed with file and line.
    """
    from tocsin import check as checks  # noqa: PLC0415
    from tocsin import log  # noqa: PLC0415

    log.configure("error")
    settings = _load(config)
    wrong = False
    for ok, line in checks.configuration(settings):
        click.echo(line)
        wrong |= not ok
    if not offline:
        for ok, line in _run(checks.reachability(settings)):
            click.echo(line)
            wrong |= not ok
    sys.exit(1 if wrong else 0)


@main.command()
@config_option
@click.argument("payload", type=click.File("rb"))
@click.option(
    "--channel",
    type=click.Choice(["ntfy", "pushover", "console"]),
    help="Only channels of this kind; without a configuration that has one, an example of it.",
)
@click.option("--offline", is_flag=True, help="Look nothing up; the message says what is therefore not known.")
@click.option("--json", "as_json", is_flag=True, help='Print a list of {"channel", "body"}; secrets are left out.')
def render(payload: BinaryIO, config: Path | None, channel: str | None, offline: bool, as_json: bool) -> None:
    """Print exactly what PAYLOAD (an Alertmanager webhook, - for standard input) would send. Sends nothing."""
    from tocsin import log, preview  # noqa: PLC0415

    log.configure("error")
    settings = _load(config)
    found = _run(preview.messages(settings, payload.read(), kind=channel, offline=offline))
    click.echo(preview.as_json(found) if as_json else preview.as_text(found))


@main.command("send-test")
@config_option
@click.option(
    "--through-alertmanager",
    metavar="URL",
    callback=_http,
    help="Post a test alert to this Alertmanager instead, to try the whole way (route, webhook, credentials) as well.",
)
def send_test(config: Path | None, through_alertmanager: str | None) -> None:
    """Send one harmless message through every channel and say what became of each."""
    from tocsin import check as checks  # noqa: PLC0415
    from tocsin import log  # noqa: PLC0415

    log.configure("error")
    settings = _load(config)
    if through_alertmanager:
        results = [_run(checks.post_test_alert(through_alertmanager, settings))]
    else:
        results = _run(checks.send_test(settings))
    for _, line in results:
        click.echo(line)
    sys.exit(0 if all(ok for ok, _ in results) else 1)


@main.command()
@config_option
@click.argument("incident", required=False)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="How many of the latest incidents to list.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def incidents(config: Path | None, incident: str | None, limit: int, as_json: bool) -> None:
    """List the latest incidents, or show one by (the beginning of) its ID, with messages and their fate."""
    from tocsin import listing  # noqa: PLC0415

    click.echo(_run(listing.show(_load(config), incident, limit=limit, as_json=as_json)))


@main.command()
@click.option("--example", is_flag=True, help="Print a commented configuration file with every default instead.")
def schema(example: bool) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from tocsin import reference  # noqa: PLC0415

    click.echo(reference.example() if example else reference.schema(), nl=False)


@main.command()
@click.option("--once", is_flag=True, envvar="DEMO_ONCE", help="End by itself; 0 only if the right messages arrived.")
def demo(once: bool) -> None:
    """Show tocsin at work on a small simulated cluster, with a real Prometheus and Alertmanager if there are any."""
    from tocsin.demo import story  # noqa: PLC0415

    sys.exit(_run(story.run(once=once)))


def _stay_small() -> None:
    """Keeps out what libraries load only because it is installed: a service that idles is measured by it.

    structlog imports rich, for consoles, wherever it finds it (4 MiB, 30 ms); pydantic looks through every installed
    distribution for plugins (20 ms).
    """
    sys.modules.setdefault("rich", cast(ModuleType, None))  # makes `import rich` an ImportError
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _run(command: Coroutine[Any, Any, T], *, loaded: bool = True) -> T:
    import asyncio  # noqa: PLC0415

    if loaded:  # otherwise the command turns it on when it is
        gc.enable()
    return asyncio.run(command)


def _load(config: Path | None) -> "Settings":
    from tocsin.settings import load  # noqa: PLC0415

    return load(_existing(config))


def _existing(config: Path | None) -> Path | None:
    return DEFAULT_CONFIGURATION if config is None and DEFAULT_CONFIGURATION.exists() else config
