"""Commands that print files made from the configuration, and the demonstration."""

import sys
from pathlib import Path

import click

from tocsin.cli.options import config_option
from tocsin.cli.running import load, run


@click.command()
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

    settings = load(config)
    groups = pack.render(settings.rules, settings.destination, settings.prometheus, apps_file.load(settings.apps_file))
    texts = {name: pack.rule_file(text) if plain else pack.prometheus_rule(name, text) for name, text in groups.items()}
    if output is None:
        click.echo("---\n".join(texts.values()), nl=False)
        return
    for name, text in texts.items():
        (output / f"{name}.yaml").write_text(text, encoding="utf-8")


@click.command()
@click.option("--example", is_flag=True, help="Print a commented configuration file with every default instead.")
@click.option("--openapi", is_flag=True, help="Print what the service answers over HTTP (OpenAPI 3.1) instead.")
def schema(example: bool, openapi: bool) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from tocsin import openapi as interface  # noqa: PLC0415
    from tocsin import reference  # noqa: PLC0415

    if example and openapi:
        raise click.UsageError("give --example or --openapi, not both")
    click.echo(interface.text() if openapi else reference.example() if example else reference.schema(), nl=False)


@click.command()
@click.option("--once", is_flag=True, envvar="DEMO_ONCE", help="End by itself; 0 only if the right messages arrived.")
def demo(once: bool) -> None:
    """Show tocsin at work on a small simulated cluster, with a real Prometheus and Alertmanager if there are any."""
    from tocsin.demo import story  # noqa: PLC0415

    sys.exit(run(story.run(once=once)))
