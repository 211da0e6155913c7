"""Variables of Flux in text: what is set, what has a default, what nobody knows."""

import pytest

from tocsin.gitops.substitute import text

VARIABLES = {"APP": "starr", "PG_NAME": "starr-db", "EMPTY": ""}


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("${APP}-pg", "starr-pg"),
        ("${GONE}-pg", "${GONE}-pg"),
        ("${GONE:-x}", "x"),
        ("${GONE:=x}${GONE=y}${GONE-z}${GONE:?no}", "xyzno"),
        ("${GONE:-}", ""),
        ("${APP:-x}", "starr"),
        ("$${APP}", "${APP}"),
        # Empty text is no value, but is one where there is no default.
        ("${EMPTY:-x}${EMPTY-y}", "xy"),
        ("a${EMPTY}b", "ab"),
        # A default may hold variables, with defaults of their own.
        ("${PG_NAME:-${APP}-pg}", "starr-db"),
        ("${GONE:-${APP}-pg}", "starr-pg"),
        ("x-${GONE:-a-${APP}-${GONE:-b}-c}-${APP}", "x-a-starr-b-c-starr"),
        ("${GONE:-${GONE:-${APP}}}", "starr"),
        ("${GONE:-${MISSING}-pg}", "${MISSING}-pg"),
        ("${PG_NAME:-${MISSING}-pg}", "starr-db"),
        # No variables.
        ("$APP", "$APP"),
        ("${}", "${}"),
        ("${APP", "${APP"),
    ],
)
def test_what_becomes_of_a_text(written: str, found: str) -> None:
    assert text(written, VARIABLES) == found


def test_what_a_variable_holds_is_not_filled_in_again() -> None:
    assert text("${A}", {"A": "${B}", "B": "x"}) == "${B}"
