"""Files that were written to hurt, or by somebody in a hurry."""

import pytest

from tocsin.yaml_documents import MAX_DEPTH, documents, load


def values(text: str) -> list[object]:
    found, _ = documents(text, lambda _: True)
    return [each.value for each in found]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 40_000, "nested too deeply"),
        ("a: " + "{a: " * 40_000, "nested too deeply"),
        ("- " * 40_000 + "a", "nested too deeply"),
        ("- ? " * 20_000 + "a", "nested too deeply"),
        ("a: &a [*a]", "its aliases expand to too much"),
        (
            "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
            "its aliases expand to too much",
        ),
    ],
)
def test_what_would_not_end_is_a_problem_and_hides_no_neighbour(text: str, problem: str) -> None:
    found, problems = documents(f"{text}\n---\nb: 1\n", lambda _: True)
    assert [each.value for each in found] == [{"b": 1}]
    assert problems == [problem]


def test_depth_that_people_write_is_read() -> None:
    assert load("[" * (MAX_DEPTH // 10) + "]" * (MAX_DEPTH // 10))


def test_brackets_that_are_closed_again_are_not_deep() -> None:
    assert len(load("[" + "[], " * (2 * MAX_DEPTH) + "]")) == 2 * MAX_DEPTH


def test_an_anchor_that_is_used_a_few_times_is_read() -> None:
    assert load("a: &x {b: 1}\nc: *x\nd: *x") == {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1}}


@pytest.mark.parametrize("date", ["2024-13-45", "2024-02-30", "2024-01-01", "2024-01-01T25:00:00Z"])
def test_what_looks_like_a_date_is_text(date: str) -> None:
    assert load(f"tag: {date}") == {"tag": date}
    assert load(f"a: &x 1\nb: &x 2\ntag: {date}")["tag"] == date  # the slow reader, for an anchor defined twice


def test_parts_that_hold_nothing_are_no_documents() -> None:
    assert values("# only words\n---\na: 1\n---\n# and more\n\n---\n%YAML 1.2\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]
