"""The documentation is tested: what it names exists, and what exists for an operator is named."""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import click
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel

from tocsin import metrics, settings
from tocsin.cli import main
from tocsin.decide import SkipReason
from tocsin.model import Kind, NoticeReason, Posture, Priority, Verdict
from tocsin.render import console, ntfy, pushover
from tocsin.settings import Settings

TOP = Path(__file__).parents[2]
PACKAGE = TOP / "service" / "tocsin"
PAGES = {
    str(path.relative_to(TOP)): path.read_text(encoding="utf-8")
    for path in [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")]
}
DOCS = "\n".join(text for name, text in PAGES.items() if name.startswith("docs/"))
README, CONTRIBUTING = PAGES["README.md"], PAGES["CONTRIBUTING.md"]


def matches(pattern: str, pages: Iterable[str] = PAGES) -> list[str]:
    """What a pattern finds in pages, each once."""
    found = (match for name in pages for match in re.findall(pattern, PAGES[name], re.MULTILINE))
    return sorted(dict.fromkeys(found))


def fenced(text: str, language: str) -> list[str]:
    """Blocks of code in one language, their indentation taken off."""
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in blocks]


# -- metrics ----

METRICS: dict[str, MetricWrapperBase] = {
    f"{each._name}_total" if each._type == "counter" else each._name: each
    for each in vars(metrics).values()
    if isinstance(each, MetricWrapperBase)
}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_documented_with_its_labels(name: str) -> None:
    labels = ",".join(METRICS[name]._labelnames)
    shown = f"`{name}{{{labels}}}`" if labels else f"`{name}`"
    assert shown in PAGES["docs/metrics.md"]


@pytest.mark.parametrize("name", matches(r"\btocsin_[a-z_]+", [name for name in PAGES if name.startswith("docs/")]))
def test_every_documented_metric_exists(name: str) -> None:
    assert name in METRICS


# -- words ----

VALUES = [value for words in (Verdict, NoticeReason, SkipReason, Posture, Kind, Priority) for value in words]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}.{value.value}")
def test_every_word_is_documented(value: StrEnum) -> None:
    assert re.search(rf"`{value.value}`|^\| {value.value} \|", DOCS, re.MULTILINE), "as `word`, or first in a table"


def test_the_states_that_are_drawn_are_those_that_are_stored() -> None:
    statements = "\n".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "store").glob("*.py"))
    stored = set(re.findall(r"'([a-z]+)'", statements))  # nothing else is quoted so in a statement
    drawn = set(re.findall(r"\[(\w+)\](?!\()", PAGES["docs/states.md"]))
    assert drawn == stored


# -- the command line ----

COMMANDS = {
    f"{name} {inner}".strip(): found
    for name, command in main.commands.items()
    for inner, found in (command.commands if isinstance(command, click.Group) else {"": command}).items()
}
"""Every command by its words, for example "policies audit"."""
USES = matches(rf"`tocsin ((?:{'|'.join(sorted(COMMANDS, reverse=True))})|[a-z-]+)([^`]*)`")


def test_every_command_is_in_the_readme() -> None:
    table = [line.split("`")[1] for line in README.splitlines() if line.startswith("| `tocsin ")]
    told = [max((name for name in COMMANDS if use.startswith(f"tocsin {name}")), key=len, default=use) for use in table]
    assert sorted(told) == sorted(COMMANDS)


@pytest.mark.parametrize(("command", "rest"), USES)
def test_every_command_and_option_that_is_named_exists(command: str, rest: str) -> None:
    assert command in COMMANDS
    parameters = COMMANDS[command].params
    assert set(re.findall(r"--[a-z-]+", rest)) <= {name for each in parameters for name in each.opts}
    arguments = [each for each in parameters if isinstance(each, click.Argument)]
    assert arguments or not re.match(r" \[?[A-Z]", rest), "it takes no argument"


def test_the_exit_codes_of_the_readme_are_those_of_the_help() -> None:
    (said,) = re.findall(r"^Exit codes: .*$", README, re.MULTILINE)
    assert said == main.epilog
    codes = {"0": "done", "1": "a problem that was reported", "2": "wrong usage or configuration"}
    assert said == "Exit codes: " + ", ".join(f"{code} {words}" for code, words in codes.items()) + "."


@pytest.mark.parametrize("target", matches(r"\bmake ([a-z]+)\b(?= *[`#;]| [A-Z]+=|$)"))
def test_every_make_target_that_is_named_exists(target: str) -> None:
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)


# -- settings ----


def keys(model: Any, at: str = "") -> Iterator[str]:
    """Every key below a section as it is written in the documentation: `section.key`."""
    if get_origin(model) is Annotated:
        yield from keys(get_args(model)[0], at)
    elif get_origin(model) in (Union, UnionType):
        for each in get_args(model):
            yield from keys(each, at)
    elif isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield f"{at}{name}"
            yield from keys(field.annotation, f"{at}{name}.")


def test_every_setting_that_is_named_exists() -> None:
    sections = "|".join(Settings.model_fields)
    named = matches(rf"`((?:{sections})(?:\.[a-z_]+)+)`")
    assert len(named) > 5
    assert [name for name in named if name not in set(keys(Settings)) and not name.endswith(".py")] == []


def test_the_configuration_in_the_readme_is_accepted(tmp_path: Path) -> None:
    ours, _ = fenced(README, "yaml")
    path = tmp_path / "tocsin.yaml"
    path.write_text(ours.replace("/run/secrets/tocsin", str(tmp_path)))
    for name in re.findall(r"/run/secrets/tocsin/(\S+)", ours):
        (tmp_path / name).write_text("secret")
    loaded = settings.load(path, {})
    assert loaded.server.bearer is not None and loaded.channels["phone"].type == "ntfy"
    assert loaded.prometheus.url and loaded.gitops.git and loaded.gitops.git.url


def test_alertmanager_s_configuration_in_the_readme_fits_together() -> None:
    _, theirs = fenced(README, "yaml")
    configured = yaml.safe_load(theirs)
    (route,) = configured["route"]["routes"]
    (receiver,) = configured["receivers"]
    (webhook,) = receiver["webhook_configs"]
    assert route["receiver"] == receiver["name"]
    assert webhook["url"].endswith(f":{Settings().server.port}/webhook") and webhook["max_alerts"] == 0
    (pattern,) = re.findall(r'alertname =~ "(.*)"', route["matchers"][0])
    assert all(re.fullmatch(pattern, name) for name in Settings().identify.alerts)


def uncommented(section: str) -> str:
    """A section that config/tocsin.yaml has commented out, every key with the default it shows."""
    example = (TOP / "config" / "tocsin.yaml").read_text(encoding="utf-8")
    block = re.search(rf"^  # {section}:\n((?:  #   .*\n)+)", example, re.MULTILINE)
    assert block
    lines = [line.removeprefix("  # ") for line in block[1].splitlines()]
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


@pytest.mark.parametrize(
    ("section", "needed"), [("git", "url: https://git.example/home"), ("github", "repository: a/b")]
)
def test_what_the_example_has_commented_out_is_accepted_as_it_stands(tmp_path: Path, section: str, needed: str) -> None:
    path = tmp_path / "tocsin.yaml"
    path.write_text(
        f"gitops:\n  {section}:\n    {needed}\n{re.sub('^', '  ', uncommented(section), flags=re.MULTILINE)}\n"
    )
    assert getattr(settings.load(path, {}).gitops, section) is not None


LIMITS = {
    "message": f"{ntfy.MESSAGE_BYTES:,} bytes of UTF-8 | {pushover.MESSAGE_CHARS:,} characters, tags and entities "
    f"included | {console.TEXT_CHARS:,} characters",
    "title": f"{ntfy.TITLE_BYTES} bytes | {pushover.TITLE_CHARS} characters | {console.TITLE_CHARS} characters",
    "whole request": f"{ntfy.BODY_BYTES:,} bytes of JSON",
    "links": f"{ntfy.ACTIONS} buttons | 1 URL of {pushover.URL_CHARS} characters",
    **{word.value: f"{ntfy.PRIORITIES[word]} | {pushover.PRIORITIES[word]} |" for word in Priority},
}


@pytest.mark.parametrize("row", LIMITS)
def test_limits_and_priorities_are_those_of_the_renderers(row: str) -> None:
    assert f"| {row} | {LIMITS[row]}" in PAGES["docs/messages.md"]


# -- files ----

LINKS = [
    (name, link) for name, text in PAGES.items() for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link
]


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_every_link_leads_somewhere(page: str, link: str) -> None:
    assert (TOP / page).parent.joinpath(link).exists()


NAMED = re.compile(r"(?<![\w/.<>*-])((?:[\w.-]+/)*[\w-]+\.(?:py|md|yaml|toml)|(?:[a-z_]+/)+)(?![\w/<*.])")
OPERATORS_OWN = {"tocsin.yaml"}
FILES = sorted(
    (page, name)
    for page, text in PAGES.items()
    for name in set(NAMED.findall(text)) - OPERATORS_OWN
    if page != "CHANGELOG.md"  # which tells of files that are gone
)


@pytest.mark.parametrize(("page", "name"), FILES)
def test_every_file_that_is_named_exists(page: str, name: str) -> None:
    places = [PACKAGE, TOP, TOP / "docs", (TOP / page).parent]
    anywhere = [*PACKAGE.rglob("*.py"), *(TOP / "config").iterdir()] if "/" not in name else []
    assert any((place / name).exists() for place in places) or name in {path.name for path in anywhere}
