"""The command line. Every command loads what it needs when it runs, so that help is instant.

Exit codes: 0 done; 1 the command found or met a problem, and said so; 2 the command line or the configuration is wrong.
"""

import click

from tocsin import __version__
from tocsin.cli import generated, repository, service, store
from tocsin.errors import ConfigurationError, TocsinError

__all__ = ["main"]


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


for command in (
    *(service.serve, service.check, service.render, service.send_test, service.incidents, service.shadow),
    *(repository.resolve, repository.policies),
    store.store,
    *(generated.rules, generated.schema, generated.demo),
):
    main.add_command(command)
