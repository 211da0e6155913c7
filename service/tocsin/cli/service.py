"""Commands about the running service: what it does, would do, and did."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from tocsin.cli.options import config_option, duration, http
from tocsin.cli.running import existing, load, run, stay_small
from tocsin.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import timedelta


@click.command()
@config_option
def serve(config: Path | None) -> None:
    """Receive webhooks and deliver messages until SIGTERM."""
    stay_small()
    from tocsin import app, configuration, log  # noqa: PLC0415
    from tocsin.boot import Boot  # noqa: PLC0415

    config = existing(config)
    try:
        boot = configuration.load(Boot, config)
    except ConfigurationError:
        load(config)  # raises with every other mistake as well
        raise
    log.configure(boot.log_level)
    run(app.serve(boot, partial(load, config)), loaded=False)


@click.command()
@config_option
@click.option("--offline", is_flag=True, help="Only read the configuration; ask no other system.")
def check(config: Path | None, offline: bool) -> None:
    """Check the configuration, then whether every system it names can be reached.

    Sends nothing. Mistakes are printed with file and line.
    """
    from tocsin import check as checks  # noqa: PLC0415
    from tocsin import log  # noqa: PLC0415

    log.configure("error")
    settings = load(config)
    wrong = False
    for ok, line in checks.configuration(settings):
        click.echo(line)
        wrong |= not ok
    if not offline:
        for ok, line in run(checks.reachability(settings)):
            click.echo(line)
            wrong |= not ok
    sys.exit(1 if wrong else 0)


@click.command()
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
    settings = load(config)
    found = run(preview.messages(settings, payload.read(), kind=channel, offline=offline))
    click.echo(preview.as_json(found) if as_json else preview.as_text(found))


@click.command("send-test")
@config_option
@click.option(
    "--through-alertmanager",
    metavar="URL",
    callback=http,
    help="Post a test alert to this Alertmanager instead, to try the whole way (route, webhook, credentials) as well.",
)
def send_test(config: Path | None, through_alertmanager: str | None) -> None:
    """Send one harmless message through every channel and say what became of each."""
    from tocsin import check as checks  # noqa: PLC0415
    from tocsin import log  # noqa: PLC0415

    log.configure("error")
    settings = load(config)
    if through_alertmanager:
        results = [run(checks.post_test_alert(through_alertmanager, settings))]
    else:
        results = run(checks.send_test(settings))
    for _, line in results:
        click.echo(line)
    sys.exit(0 if all(ok for ok, _ in results) else 1)


@click.command()
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

    click.echo(run(listing.show(load(config), incident, limit=limit, as_json=as_json)))


@click.group()
def shadow() -> None:
    """What would have been sent while mode was shadow."""


@shadow.command("report")
@config_option
@click.option("--since", default="7d", show_default=True, callback=duration, help="How far back: 24h, 7d, 2w.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def shadow_report(config: Path | None, since: "timedelta", as_json: bool) -> None:
    """Say how many messages would have come, about what, and whether going live is sensible: after 7 quiet days.

    A quiet day has no message of priority high or urgent. Reads the store beside a running service. Sends nothing.
    """
    from datetime import UTC, datetime  # noqa: PLC0415

    from tocsin import shadow as shadows  # noqa: PLC0415

    click.echo(shadows.show(load(config), since, datetime.now(UTC), as_json=as_json))
