"""Regular expressions (RE2) that the rules need, made from the configuration. Pure.

Prometheus anchors a regular expression at both ends, in matchers and in `label_replace`.
"""

from collections.abc import Iterable
from typing import Final

from tocsin.enrich.promql import POD_SUFFIX, literally
from tocsin.pod_names import RANDOM

_INTERNAL: Final = (
    "arpa", "corp", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain", "localhost", "private",
    "svc",
)  # fmt: skip
"""Top-level names that no public registry delegates (RFC 6761, RFC 6762 appendix G, RFC 8375, ICANN for `internal`,
`corp` and `home`); `arpa` is reverse lookups and home.arpa. Not `test` and `example`: nobody's network uses them."""
_RUNNER: Final = "-[a-z0-9]{5}-runner-[a-z0-9]{5}"
_REGISTRIES: Final = "com?|net?|org?|gov?|gob|edu?|ac|ltd|plc|me|go|or|nom|id|web|sch|mil"
"""Second-level labels below a country that are registries themselves: co.uk, com.au, or.jp."""

POD: Final = f"(.+?)(?:-(?:{POD_SUFFIX}))?"
"""Group 1 is the workload in the name of a pod."""
SOURCE_WORKLOAD: Final = f"(.+?)(?:-[0-9]{{8,10}}|-{RANDOM}{{8,10}}|{_RUNNER})?"
"""Group 1 is the workload in Hubble's `source_workload`, which names the Job of a CronJob in older versions, the
ReplicaSet of what is no Deployment, and each runner of Actions Runner Controller by itself."""
OWNER: Final = (
    f"ReplicaSet/(.+)-{RANDOM}{{6,10}}|Job/(.+)-[0-9]{{8,10}}|EphemeralRunner/(.+){_RUNNER}|Node/.*|[^/]+/(.+)"
)
"""One of groups 1 to 4 is the workload in `KIND/NAME` of what owns a pod; none of a pod that a node owns."""
NAME: Final = "(.+?)\\.?"
"""Group 1 is a DNS name without its trailing dot."""
DOMAIN: Final = f"(?:.*?\\.)??([^.]+\\.(?:(?:{_REGISTRIES})\\.[a-z]{{2}}|[^.]+))\\.?"
"""Group 1 is the registered domain of a DNS name, as well as a pattern can tell without the public suffix list."""
NO_DOMAIN: Final = "[^.]*\\.?|.*\\.[0-9]+\\.?"
"""A single label, which only a search domain could complete, and an address that was asked for like a name."""


def internal(cluster_domain: str, lan_domains: Iterable[str]) -> str:
    """Matches names that stay on the own network: below the cluster's domain, LAN domains and those nobody registers.

    The domains themselves match as well, in any case, with or without trailing dot.
    """
    own = [each for each in (cluster_domain, *lan_domains) if each.rpartition(".")[2] not in _INTERNAL]
    return f"(?i)(?:.*\\.)?(?:{'|'.join([*_INTERNAL, *map(literally, own)])})\\.?"


def globs(patterns: Iterable[str]) -> str:
    """Matches any of several shell globs (`*`, `?`, `[abc]`, `[!abc]`)."""
    return "|".join(_glob(pattern) for pattern in patterns)


def _glob(pattern: str) -> str:
    made, rest = "", pattern
    while rest:
        letter, rest = rest[0], rest[1:]
        end = rest.find("]", 2 if rest.startswith("!") else 1)
        if letter == "[" and end > 0:
            inside, rest = rest[:end].replace("\\", r"\\").replace("[", r"\["), rest[end + 1 :]
            made += f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
        else:
            made += {"*": ".*", "?": "."}.get(letter) or literally(letter)
    return made
