"""What holds for the files of the repository as a whole."""

import os
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
TOP_LEVEL = {
    *("service", "config", "kustomize", "tests", "docs", "benchmarks", ".ci", ".github", "LICENSE", *LOCKS),
    *("pyproject.toml", "Makefile", "Dockerfile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"),
    *(".gitignore", ".dockerignore"),
}
SAYS_NOTHING = {"utils", "util", "helpers", "common", "base", "core", "manager", "types", "misc", "config"}
# Written in pieces, or this file would be the first to break its rules.
INDEX = re.compile("|".join(re.escape(".".join(name)) for name in (("pypi", "org"), ("pythonhosted", "org"))))
MACHINE = re.compile(r"(?<![\w.~-])/(?:work|farm|root|home/[a-z]\w*)/")
UNFINISHED = re.compile(
    r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|NotImplemented" r"Error)\b|pragma: no" r" cover|type: ignore(?!\[)"
)
LEFT_OUT = re.compile(r"pytest[.](?:mark[.])?(?:skip|x" r"fail|importor" r"skip)")


def written() -> list[Path]:
    """Files that are committed or could be: what git does not ignore."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=TOP, check=True, capture_output=True, text=True).stdout.split("\0")
    return [TOP / name for name in names if name and (TOP / name).is_file()]


def lines_that_match(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    found = []
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path.relative_to(TOP)}:{number}: {line.strip()}")
    return found


def modules() -> list[Path]:
    return sorted((TOP / "service" / "tocsin").rglob("*.py"))


def pins(lock: str) -> dict[str, list[str]]:
    """Each requirement line of a lock, continued lines joined: name -> [version, hash, ...]."""
    joined = (TOP / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split("#")[0].strip() for line in joined.splitlines()]
    found = {}
    for line in filter(None, lines):
        requirement, *hashes = line.split()
        name, _, version = requirement.partition("==")
        found[canonicalize_name(name)] = [version, *hashes]
    return found


def test_the_top_level_stays_small() -> None:
    assert {path.relative_to(TOP).parts[0] for path in written()} <= TOP_LEVEL


def test_no_file_names_a_package_index_or_a_path_of_one_machine() -> None:
    assert lines_that_match(INDEX, written()) == []
    assert lines_that_match(MACHINE, written()) == []


# What providers and clouds issue has a shape; what has none is kept out by `..._file`.
SECRET = re.compile(
    r"tk_(?=[a-z0-9]*\d)[a-z0-9]{29}\b"  # ntfy
    r"|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_\w{50,}|\bglpat-[\w-]{20}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bxox[bp]-[\w-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----\n"
    r"|\beyJ[\w-]{20,}\.eyJ[\w-]{20,}"
)


def test_no_file_holds_a_secret() -> None:
    found = [path for path in written() if SECRET.search(path.read_text(encoding="utf-8", errors="replace"))]
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "tk_" + "a1b2c3d4e5" * 2 + "f6g7h8i9j",
        "ghp_" + "A1b2C3d4E5f6" * 3,
        "AKIA" + "A1B2C3D4E5F6G7H8",
        "-----BEGIN RSA" + " PRIVATE KEY-----\n",
        "eyJhbGciOiJIUzI1NiIsInR5" + ".eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFt",
    ],
)
def test_a_planted_secret_is_found(planted: str) -> None:
    assert SECRET.search(f'token: "{planted}"')


def test_modules_are_finished_and_tests_leave_nothing_out() -> None:
    assert lines_that_match(UNFINISHED, modules()) == []
    assert lines_that_match(LEFT_OUT, sorted((TOP / "tests").rglob("*.py"))) == []


def test_modules_are_small() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {str(path.relative_to(TOP)): size for path, size in sizes.items() if size > 400} == {}
    assert statistics.median(size for path, size in sizes.items() if path.name != "__init__.py") <= 150


def test_module_names_tell_what_is_inside() -> None:
    assert [path for path in modules() if {path.stem, path.parent.name} & SAYS_NOTHING] == []


def test_every_file_of_the_package_is_in_the_wheel() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    package = TOP / "service" / "tocsin"
    globs = project["tool"]["setuptools"]["package-data"]["tocsin"]
    shipped = {path for glob in globs for path in package.glob(glob)} | set(modules())
    assert [path for path in written() if path.is_relative_to(package) and path not in shipped] == []
    folders = {path.parent for path in modules()}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_documented_apps_file_is_the_packaged_default() -> None:
    copies = [TOP / "config" / "apps.yaml", TOP / "service" / "tocsin" / "defaults" / "apps.yaml"]
    assert copies[0].read_bytes() == copies[1].read_bytes()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_and_hashes_every_package_and_names_no_address(lock: str) -> None:
    for name, (version, *hashes) in pins(lock).items():
        assert version, f"{name} is not pinned"
        assert hashes and all(entry.startswith("--hash=sha256:") for entry in hashes), f"{name} has no hash"
    assert "://" not in (TOP / lock).read_text(encoding="utf-8")


def test_the_locks_satisfy_the_project_and_agree() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    run, develop = (pins(lock) for lock in LOCKS)
    assert {name: develop.get(name) for name in run} == run
    build = project["build-system"]["requires"]
    wanted = [(text, run) for text in project["project"]["dependencies"]]
    wanted += [(text, develop) for text in [*project["project"]["optional-dependencies"]["dev"], *build]]
    for text, lock in wanted:
        requirement = Requirement(text)
        pinned = lock.get(canonicalize_name(requirement.name))
        assert pinned, f"{text} is in no lock: make lock"
        assert requirement.specifier.contains(pinned[0]), f"{text}, but {pinned[0]} is locked: make lock"


def test_scripts_can_be_run_and_the_gate_runs_the_documented_commands() -> None:
    scripts = [TOP / ".ci" / "run", *(TOP / ".ci" / "setup").iterdir()]
    assert [script for script in scripts if not os.access(script, os.X_OK)] == []
    gate = scripts[0].read_text(encoding="utf-8")
    assert all(command in gate for command in ("make test", "make check", "make demo"))


@pytest.mark.parametrize(
    ("cases", "complaint"),
    [
        ('<testcase classname="tests.e2e.test_a" name="runs"/>', ""),
        ('<testcase classname="tests.unit.test_a" name="runs"/>', "no end-to-end test ran"),
        (
            '<testcase classname="tests.e2e.test_a" name="runs"/>'
            '<testcase classname="tests.unit.test_b" name="waits"><skipped message="no server"/></testcase>',
            "skipped: tests.unit.test_b::waits",
        ),
    ],
)
def test_the_gate_refuses_a_report_with_something_left_out(cases: str, complaint: str, tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>", encoding="utf-8")
    command = [sys.executable, TOP / ".ci" / "all_passed.py", report]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.strip()) == (bool(complaint), complaint)
