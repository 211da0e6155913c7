"""What the policies of a workload say of its egress, as evidence for its class. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tocsin.gitops.resolve import Resolution
from tocsin.gitops.selection import Selected
from tocsin.model import Ground
from tocsin.policy import posture
from tocsin.policy.document import Policy
from tocsin.policy.posture import Testimony


def hear(found: Resolution) -> Testimony:
    """The testimony of every policy that selects the workload.

    Where further policies may select it, structure proves only what it would prove with them; of a workload that could
    not be told nothing is proven.
    """
    if found.app is None:
        return Testimony()
    selecting = [_heard(one) for one in found.policies]
    said = posture.testimony(selecting)
    if doubt := next(doubts(found), None):
        return _without_structure(said, doubt)
    if not found.possible:
        return said
    possible = [one.policy for one in found.possible]
    same = _structure(said) == _structure(posture.testimony([*selecting, *possible]))
    if same:
        return said
    return _without_structure(said, f"{_named(possible)} may select it as well: not all labels of its pods are known")


def doubts(found: Resolution) -> Iterator[str]:
    """Why the policies that select a workload may not say what holds for it."""
    if found.host_network:
        yield "it runs in the network of its node, where policies for pods do not apply"
    if waiting := [one.placed.policy for one in found.policies if not one.placed.deployed]:
        yield f"{_named(waiting)}: nothing deploys it"
    if changed := [one.placed.policy for one in found.policies if one.placed.changed]:
        yield f"{_named(changed)} is changed by a patch, which is not followed"


def _heard(one: Selected) -> Policy:
    """A policy reduced to the rules that select, with what is said at the label by which it was chosen.

    What is said in passing on a policy for everybody is about somebody.
    """
    policy = replace(one.placed.policy, rules=one.rules, comments=one.placed.policy.comments + one.comments)
    return policy if one.own else posture.without_remarks(policy)


def _structure(said: Testimony) -> list[object]:
    return [one.posture for one in said.statements if one.ground is Ground.STRUCTURE]


def _named(policies: Iterable[Policy]) -> str:
    return ", ".join(sorted(policy.name for policy in policies)[:3])


def _without_structure(said: Testimony, why: str) -> Testimony:
    return replace(
        said,
        statements=tuple(one for one in said.statements if one.ground is not Ground.STRUCTURE),
        undecided=(*said.undecided, why),
    )
