"""Fails unless a JUnit report shows end-to-end tests and no skipped test: a test that did not run proves nothing."""

import sys
from xml.etree import ElementTree

END_TO_END = "tests.e2e."


def complaints(report: str) -> list[str]:
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - written by our own pytest a moment ago
    names = [f"{case.get('classname')}::{case.get('name')}" for case in cases]
    found = [f"skipped: {name}" for case, name in zip(cases, names, strict=True) if case.find("skipped") is not None]
    if not any(name.startswith(END_TO_END) for name in names):
        found.append("no end-to-end test ran")
    return found


if __name__ == "__main__":
    problems = complaints(sys.argv[1])
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    sys.exit(bool(problems))
