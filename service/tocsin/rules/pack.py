"""Renders the detection rules from the configuration."""

import textwrap
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from tocsin.classify import AppsFile
from tocsin.destination import DestinationSettings
from tocsin.enrich import promql
from tocsin.enrich.prometheus_settings import PrometheusSettings
from tocsin.rules import patterns, shared_domains, watch
from tocsin.rules.settings import RulesSettings

if TYPE_CHECKING:
    from jinja2 import Environment

_LOOK_BACK: Final = timedelta(days=8)
"""How far back the rules look in one step: a week and a day, for weekly jobs that are late. At one sample in two
minutes that is 5,760 samples, and promtool's engine holds 10,000."""

FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "egress-detection": ("egress-names", "egress-volume", "detection-health"),
    "tocsin-health": ("tocsin-health",),
}
"""What is rendered: the PrometheusRule and its parts."""

_HEAD: Final = "# Made by `tocsin rules` from config/: change the settings there, not this file.\n"
_OBJECT: Final = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: tocsin
spec:
  groups:
"""


def prometheus_rule(name: str, groups: str) -> str:
    """The groups as an object for the Prometheus operator; the VictoriaMetrics operator converts it."""
    own = name if name.startswith("tocsin") else f"tocsin-{name}"
    return _HEAD + _OBJECT.format(name=own) + textwrap.indent(groups, "    ")


def rule_file(groups: str) -> str:
    """The groups as a file for Prometheus itself, Thanos Ruler, mimirtool or vmalert."""
    return _HEAD + "groups:\n" + textwrap.indent(groups, "  ")


def render(
    settings: RulesSettings, destination: DestinationSettings, prometheus: PrometheusSettings, apps: AppsFile
) -> dict[str, str]:
    """The rule groups of each of FILES, as a YAML list."""
    kept = "".join(f"{label}, " for label in settings.keep_labels)
    cluster = "".join(f"{name}={promql.quote(value)}, " for name, value in prometheus.extra_labels.items())
    ignored = f", namespace!~{promql.quote(patterns.globs(settings.volume_namespaces_ignored))}"
    variables = {
        "settings": settings,
        "kept": kept,
        "kept_only": kept.removesuffix(", "),
        "workload": f"{kept}namespace, workload",
        "destination": f"{kept}namespace, workload, destination",
        "cluster": cluster,
        "interface": prometheus.interface,
        "sent": f'{cluster}pod!="", interface={promql.quote(prometheus.interface)}'
        + (ignored if settings.volume_namespaces_ignored else ""),
        "internal": promql.quote(patterns.internal(destination.cluster_domain, destination.lan_domains)),
        "no_domain": promql.quote(patterns.NO_DOMAIN),
        "pod": promql.quote(patterns.POD),
        "source_workload": promql.quote(patterns.SOURCE_WORKLOAD),
        "name": promql.quote(patterns.NAME),
        "domain": promql.quote(patterns.DOMAIN),
        "owner": promql.quote(patterns.OWNER),
        "shared": promql.quote(patterns.globs([*shared_domains.KNOWN, *settings.shared_domains])),
        "watch": watch.runs(apps, settings.workloads_ignored),
        "hold": promql.duration(settings.hold),
        "learning": promql.duration(settings.learning),
        "learning_of_workload": promql.duration(settings.learning_of_workload),
        "learning_window": promql.duration(_LOOK_BACK - settings.learning),
        "learned_window": promql.duration(_LOOK_BACK - settings.learning_of_workload),
        "remember": promql.duration(settings.remember),
        "remember_seconds": int(settings.remember.total_seconds()),
    }
    return {
        name: "\n".join(_environment().get_template(f"{part}.yaml").render(variables) for part in parts)
        for name, parts in FILES.items()
    }


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # noqa: PLC0415

    templates = resources.files("tocsin.rules").joinpath("templates")
    # Rules are full of {{ }}, Prometheus's own templates, and of #.
    return Environment(
        loader=FunctionLoader(lambda name: templates.joinpath(name).read_text(encoding="utf-8")),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML; every value is quoted for PromQL
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<!#",
        comment_end_string="#!>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
