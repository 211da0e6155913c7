"""The policies that one commit declares, each with the file and the namespace it belongs to. Pure.

The namespace of a policy is its own `metadata.namespace`, else what a path template says. A policy whose namespace
cannot be told selects nothing here: naming the wrong policy is worse than naming none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from tocsin.gitops.template import place
from tocsin.policy.document import Parsed, Policy, Rule
from tocsin.policy.selector import Fit, selecting_rules

_WITHIN_COMPONENT: Final = frozenset({"app", "policy", "policies", "networkpolicy", "network-policy", "netpol"})
_MAX_POLICY_FILES: Final = 6


@dataclass(frozen=True, slots=True)
class PlacedPolicy:
    """A policy with its file. `namespace` is empty for a clusterwide policy, None where it cannot be told."""

    policy: Policy
    file: str
    namespace: str | None


@dataclass(frozen=True, slots=True)
class Selected:
    """A policy that selects a workload, with the rules that do, and how surely."""

    placed: PlacedPolicy
    fit: Fit
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """Everything found at one commit. `problems` are sentences that begin with the file's path."""

    policies: tuple[PlacedPolicy, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def unplaced(self) -> int:
        """How many policies have no namespace that could be told."""
        return sum(placed.namespace is None for placed in self.policies)

    def selecting(self, namespace: str, workload: str) -> tuple[Selected, ...]:
        """The policies that select the workload, the surest first, then by file and name."""
        found = []
        for placed in self.policies:
            if placed.policy.clusterwide or placed.namespace == namespace:
                fit, rules = selecting_rules(placed.policy, namespace, workload)
                if fit is not Fit.NONE:
                    found.append(Selected(placed, fit, rules))
        return tuple(sorted(found, key=lambda one: (-one.fit, one.placed.file, one.placed.policy.name)))

    def component_directory(self, file: str) -> str | None:
        """The directory that holds the component a policy file belongs to, None where it cannot be told.

        It is the directory of the file, or its parent where that directory is called `app`, `policy` and the like. A
        directory that holds policies of many components, or the top of the repository, is no component.
        """
        directory = PurePosixPath(file).parent
        if directory.name in _WITHIN_COMPONENT:
            directory = directory.parent
        inside = {placed.file for placed in self.policies if PurePosixPath(placed.file).is_relative_to(directory)}
        return str(directory) if directory.name and len(inside) <= _MAX_POLICY_FILES else None


def build(files: Mapping[str, Parsed], path_templates: Sequence[str]) -> Index:
    """Joins the parsed files of one commit, in path order."""
    policies = tuple(
        PlacedPolicy(policy, file, _namespace(policy, file, path_templates))
        for file in sorted(files)
        for policy in files[file].policies
    )
    problems = tuple(f"{file}: {problem}" for file in sorted(files) for problem in files[file].problems)
    return Index(policies, problems)


def _namespace(policy: Policy, file: str, path_templates: Sequence[str]) -> str | None:
    return "" if policy.clusterwide else policy.namespace or place(file, path_templates).namespace
