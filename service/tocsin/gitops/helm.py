"""What a Chart.yaml says about the charts it brings along. Pure.

Fields: https://helm.sh/docs/topics/charts/#the-chartyaml-file. Many repositories wrap each chart they use in
one of their own, for its version, its values and a few objects beside it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

FILE_NAME: Final = "Chart.yaml"
VALUES_NAME: Final = "values.yaml"


@dataclass(frozen=True, slots=True)
class Dependency:
    """One entry of `dependencies`. `key` is where the values for it are, `condition` the value that switches it."""

    name: str
    key: str
    version: str | None = None
    condition: str = ""

    def is_on(self, values: Mapping[str, Any]) -> bool:
        """Whether the values leave it switched on; the first path of the condition that is set decides."""
        for path in filter(None, self.condition.split(",")):
            found: Any = values
            for key in path.strip().split("."):
                found = found.get(key) if isinstance(found, dict) else None
            if isinstance(found, bool):
                return found
        return True


def dependencies(value: Mapping[str, Any]) -> Iterator[Dependency]:
    """Reads a Chart.yaml; raises TypeError, AttributeError or KeyError where it cannot be read."""
    for each in value.get("dependencies") or []:
        version = each.get("version")
        yield Dependency(
            name=str(each["name"]),
            key=str(each.get("alias") or each["name"]),
            version=None if version is None else str(version),
            condition=str(each.get("condition") or ""),
        )
