"""A network policy as frozen values, reduced to what decides about egress.

Words are Cilium's (pkg/policy/api of 1.19); a Kubernetes NetworkPolicy is put into the same shape. Names, label values
and Flux variables are as written in the repository. `comments` never make two values differ.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

POLICY: Final = "CiliumNetworkPolicy"
CLUSTERWIDE: Final = "CiliumClusterwideNetworkPolicy"
KUBERNETES: Final = "NetworkPolicy"
EGRESS_ANNOTATION: Final = "tocsin.dev/egress"
"""What the operator says of the egress of every workload that the policy selects."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of `matchExpressions`; `matchLabels` become `In` with one value. `key` has no source prefix."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Selector:
    """An endpoint selector; without requirements it selects every pod in scope."""

    requirements: tuple[Requirement, ...] = ()


class PeerKind(StrEnum):
    """Which `to*` field a peer was written in. `everything` stands for a rule without any."""

    EVERYTHING = "everything"
    FQDN = "fqdn"
    ENTITY = "entity"
    CIDR = "cidr"
    ENDPOINTS = "endpoints"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom a rule lets a pod talk to. `value` is a name pattern, an entity, a CIDR or a described selector.

    `exact` marks a `matchName`. `excepts` are the CIDRs taken out of a `toCIDRSet` entry.
    """

    kind: PeerKind
    value: str = ""
    exact: bool = False
    excepts: tuple[str, ...] = ()
    comments: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Port:
    """One port of `toPorts`. `number` is a number, a range `1-9`, a port name, or empty for all of the protocol.

    `server_names` restricts TLS to these names; `dns` lists the patterns that the DNS proxy answers; `layer7`
    says that further rules (HTTP) restrict it.
    """

    number: str
    protocol: str = "ANY"
    server_names: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    layer7: bool = False


@dataclass(frozen=True, slots=True)
class Egress:
    """One entry of `egress` or `egressDeny`: any of the peers, on any of the ports; no ports means all of them.

    `comments` are those above and inside the entry, the ones of its peers included.
    """

    peers: tuple[Peer, ...]
    ports: tuple[Port, ...] = ()
    comments: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """`spec`, or one entry of `specs`. `selector` is None for a node selector, which selects no pod.

    `rest` is the canonical text of everything that is not kept here (ingress, labels, description). `default_deny`
    says that whatever is not allowed is denied from then on; a pod is in default deny if one of its rules says so.
    `comments` are those of one of several specs, outside of its entries.
    """

    selector: Selector | None
    egress: tuple[Egress, ...] = ()
    egress_deny: tuple[Egress, ...] = ()
    rest: str = ""
    default_deny: bool = False
    comments: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy document. `namespace` is None where the document names none (or a variable).

    `written_namespace` is the same with its variables. `annotations` holds only the keys that tocsin reads. `comments`
    are those of the document outside the entries of its egress and ingress, and its description.
    """

    kind: str
    name: str
    namespace: str | None
    rules: tuple[Rule, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    written_namespace: str = field(default="", compare=False)
    comments: tuple[str, ...] = field(default=(), compare=False)

    @property
    def clusterwide(self) -> bool:
        """Whether it selects pods of every namespace."""
        return self.kind == CLUSTERWIDE


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one file holds: its policies, and a sentence for every document that could not be read."""

    policies: tuple[Policy, ...] = ()
    problems: tuple[str, ...] = ()
