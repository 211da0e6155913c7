"""Commands that read a GitOps repository of this machine; they need no configuration file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from tocsin.cli.options import with_repository
from tocsin.cli.running import run

if TYPE_CHECKING:
    from tocsin.gitops.git import GitRepository


@click.command()
@with_repository
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
    for answer in run(who.answers(repository, apps_file.load(apps), pods)):
        click.echo(who.as_json(answer) if as_json or batch else who.as_text(answer))


@click.group()
def policies() -> None:
    """What the policies of a GitOps repository allow."""


@policies.command("audit")
@with_repository
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
    run(repository.refresh())
    found = audits.audit(repository.snapshot(), apps_file.load(apps))
    click.echo(audits.as_json(found) if as_json else audits.as_markdown(found) if markdown else audits.as_text(found))


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
