"""The words an operator can write on a policy to settle what the egress of its workloads is meant to be. Pure.

In an annotation `tocsin.dev/egress: unbounded`, or in a comment `# tocsin: unbounded` or `# egress: unbounded`.
"""

import re
from typing import Final

from tocsin.model import Posture

WORDS: Final = (Posture.BOUNDED, Posture.UNBOUNDED, Posture.BETWEEN, Posture.LAN_ONLY)
_ENDS: Final = r"\s*(?:[.,;:(]|[-\u2013\u2014]\s|#|$)"
_OURS: Final = re.compile(r"(?i)tocsin(?:\.dev/egress)?:\s*[\"']?([\w-]+)")
_PLAIN: Final = re.compile(rf"(?i)egress:\s*(bounded|unbounded|between|lan[-_]only){_ENDS}")


def word(comment: str) -> str | None:
    """What an agreed comment says, None for any other; it need not be one of the words."""
    found = _OURS.match(comment) or _PLAIN.match(comment)
    return found[1] if found else None


def posture(said: str) -> Posture | None:
    """The posture that a word stands for; None for a word that was not agreed."""
    return {agreed.value: agreed for agreed in WORDS}.get(said.strip().lower().replace("-", "_"))
