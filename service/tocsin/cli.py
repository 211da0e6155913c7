"""The command line. Every command loads what it needs when it runs, so that help is instant.

Exit codes: 0 done; 1 the command found or met a problem, and said so; 2 the command line or the configuration is wrong.
"""

import gc
import os
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, TypeVar, cast
from urllib.parse import urlsplit

import click

from tocsin import __version__
from tocsin.errors import ConfigurationError, TocsinError

if TYPE_CHECKING:
    from datetime import timedelta

    from tocsin.gitops.git import GitRepository
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


def _with_repository(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(repository_options):
        command = option(command)
    return command


def _http(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuses what is no http(s) URL."""
    try:
        parts = urlsplit(value or "http://none")
    except ValueError as failure:
        raise click.BadParameter(str(failure)) from failure
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter("it must look like http://alertmanager.monitoring:9093")
    return value


def _duration(_: click.Context, __: click.Parameter, value: str) -> "timedelta":
    """Reads Prometheus's notation."""
    from tocsin.section import parse_duration  # noqa: PLC0415

    try:
        found: timedelta = parse_duration(value)
    except ValueError as failure:
        raise click.BadParameter(str(failure)) from failure
    return found


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


@main.group()
def shadow() -> None:
    """What would have been sent while mode was shadow."""


@shadow.command("report")
@config_option
@click.option("--since", default="7d", show_default=True, callback=_duration, help="How far back: 24h, 7d, 2w.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def shadow_report(config: Path | None, since: "timedelta", as_json: bool) -> None:
    """Say how many messages would have come, about what, and whether going live is sensible: after 7 quiet days.

    A quiet day has no message of priority high or urgent. Reads the store beside a running service. Sends nothing.
    """
    from datetime import UTC, datetime  # noqa: PLC0415

    from tocsin import shadow as shadows  # noqa: PLC0415

    click.echo(shadows.show(_load(config), since, datetime.now(UTC), as_json=as_json))


@main.command()
@_with_repository
@click.option("--namespace", help="Namespace of the pod.")
@click.option("--pod", help="Name of the pod.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on one line.")
@click.option(
    "--batch",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help='Answer for many pods: one {"namespace", "pod"} JSON a line (- for standard input), one JSON a line out.',
)
def resolve(
    repo: Path,
    rev: str | None,
    roots: tuple[str, ...],
    templates: tuple[str, ...],
    apps: Path | None,
    namespace: str | None,
    pod: str | None,
    as_json: bool,
    batch: TextIO | None,
) -> None:
    """Say which app a pod belongs to, which policies select it, what it is meant to reach, and what changed lately.

    Needs no configuration file. What cannot be told is null (JSON) or "unresolved", with the reason.
    """
    from tocsin import apps_file, log, who  # noqa: PLC0415

    log.configure("error")
    if (batch is None) == (namespace is None or pod is None):
        raise click.UsageError("give --namespace and --pod, or --batch")
    pods = who.asked(batch) if batch else [(namespace or "", pod or "")]
    repository = _local(repo, rev, roots, templates)
    for answer in _run(who.answers(repository, apps_file.load(apps), pods)):
        click.echo(who.as_json(answer) if as_json or batch else who.as_text(answer))


@main.group()
def policies() -> None:
    """What the policies of a GitOps repository allow."""


@policies.command("audit")
@_with_repository
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print a table for a pull request or a wiki.")
def audit(
    repo: Path,
    rev: str | None,
    roots: tuple[str, ...],
    templates: tuple[str, ...],
    apps: Path | None,
    as_json: bool,
    markdown: bool,
) -> None:
    """List every declared workload with its egress, its class and the evidence, and what is undecided or conflicts.

    Also counts the files with world rules and toFQDNs, as parsed and as plain text. Needs no configuration file.
    """
    from tocsin import apps_file, log  # noqa: PLC0415
    from tocsin import audit as audits  # noqa: PLC0415

    log.configure("error")
    if as_json and markdown:
        raise click.UsageError("give --json or --markdown, not both")
    repository = _local(repo, rev, roots, templates)
    _run(repository.refresh())
    found = audits.audit(repository.snapshot(), apps_file.load(apps))
    click.echo(audits.as_json(found) if as_json else audits.as_markdown(found) if markdown else audits.as_text(found))


@main.command()
@config_option
@click.option("--plain", is_flag=True, help="Print rule files for Prometheus, Thanos, Mimir or vmalert instead.")
@click.option(
    "--output",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory to write the files into: kustomize/components/rules. Default: print them.",
)
def rules(config: Path | None, plain: bool, output: Path | None) -> None:
    """Render the detection rules, and those that watch over tocsin, as PrometheusRule objects.

    What differs from cluster to cluster is read from the configuration: `rules`, `destination`, `prometheus` and
    apps.yaml.
    """
    from tocsin import apps_file  # noqa: PLC0415
    from tocsin.rules import pack  # noqa: PLC0415

    settings = _load(config)
    groups = pack.render(settings.rules, settings.destination, settings.prometheus, apps_file.load(settings.apps_file))
    texts = {name: pack.rule_file(text) if plain else pack.prometheus_rule(name, text) for name, text in groups.items()}
    if output is None:
        click.echo("---\n".join(texts.values()), nl=False)
        return
    for name, text in texts.items():
        (output / f"{name}.yaml").write_text(text, encoding="utf-8")


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


def _local(repo: Path, rev: str | None, roots: tuple[str, ...], templates: tuple[str, ...]) -> "GitRepository":
    """A repository of this machine, without a configuration file."""
    from pydantic import ValidationError  # noqa: PLC0415

    from tocsin.gitops.git import GitRepository  # noqa: PLC0415
    from tocsin.gitops.settings import GitOpsSettings, GitSettings  # noqa: PLC0415

    given: dict[str, Any] = {"git": GitSettings(path=repo), "roots": roots}
    try:
        settings = GitOpsSettings.model_validate(given | ({"path_templates": templates} if templates else {}))
    except ValidationError as failure:
        raise click.UsageError("; ".join(error["msg"] for error in failure.errors())) from failure
    return GitRepository(settings.git or GitSettings(path=repo), settings.layout, revision=rev)


def _load(config: Path | None) -> "Settings":
    from tocsin.settings import load  # noqa: PLC0415

    return load(_existing(config))


def _existing(config: Path | None) -> Path | None:
    return DEFAULT_CONFIGURATION if config is None and DEFAULT_CONFIGURATION.exists() else config
