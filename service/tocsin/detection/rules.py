"""What is said of the rules: whether they are loaded, and how much they have learned. Pure."""

from datetime import timedelta

from tocsin import units
from tocsin.detection.answers import Answers, Said, note, ok
from tocsin.detection.questions import MEMORY, RATE, SEEN


def loaded(known: Answers) -> Said | None:
    """Whether what they record is there; None where there is nothing to record it from."""
    recorded = {SEEN: ("seen", "source"), MEMORY: ("memory", "source"), RATE: ("rate", "interface")}
    wanted = [name for name, (_, made_from) in recorded.items() if known.count(made_from)]
    missing = [name for name in wanted if not known.count(recorded[name][0])]
    if missing:
        return note(
            f"no {', '.join(missing)}: the rules are not loaded, or for less than 10 minutes. Apply the component "
            "kustomize/components/rules where this Prometheus takes its rules from"
        )
    return ok("what they record is there") if wanted else None


def learning(known: Answers) -> Said | None:
    """How old the memory is; None where there is none."""
    if not known.count("memory"):
        return None
    age = timedelta(seconds=known.number("age") or 0)
    if age >= known.learning:
        return ok(f"done; names are remembered for {units.age(age)} or more")
    return note(
        f"goes on for about {units.age(known.learning - age)}; until then no new destination is told. Names are "
        f"remembered for {units.age(age)}. Where that does not grow, give Prometheus a retention of 9 days or more"
    )


def alerts(known: Answers) -> Said:
    """Whether this Prometheus knows what fires: the rules and `tocsin`'s fallback look at it."""
    if known.count("alerts"):
        return ok("ALERTS is there")
    return note(
        "no series ALERTS within a day. Either nothing fired, not even a watchdog, or this address does not hold the "
        "alerts of its ruler: set prometheus.url to one that does"
    )
