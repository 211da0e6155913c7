"""EgressNovelDestination, sentence by sentence, in promtool's rule engine."""

import pytest

from rule_tests import DAY, HOUR, Scenario, novel, shipped

pytestmark = pytest.mark.e2e

POD = "sonarr-5d7c9d8f6b-x2b4c"
LATER = "sonarr-7f6b4d9c5f-k8w2z"
STRANGER = "files.paste-drop.example."


def names(length: int, step: int = 5) -> Scenario:
    """A cluster in which sonarr and a database ask for what they always ask for."""
    scenario = Scenario(length, step, [shipped("egress-names")])
    scenario.asks("db-0", "updates.db-vendor.com.", namespace="data")
    return scenario


def test_one_lookup_fires_within_three_minutes_and_resolves_by_itself() -> None:
    scenario = names(4 * DAY, step=1)
    scenario.asks(POD, "api.thetvdb.com.")
    scenario.asks(POD, STRANGER, 3 * DAY + 7)
    scenario.fires(3 * DAY + 6)
    scenario.fires(3 * DAY + 7 + 3, "files.paste-drop.example")
    scenario.fires(3 * DAY + 7 + 45, "files.paste-drop.example")
    scenario.fires(3 * DAY + 7 + 75)
    scenario.fired(3 * DAY + 7 + 75, 4 * DAY)
    scenario.check()


def test_a_lookup_by_a_pod_that_is_gone_at_once() -> None:
    scenario = names(4 * DAY)
    scenario.asks("recyclarr-29480580-qh7wz", "api.github.com.", 60, 90)
    scenario.asks("recyclarr-29482020-vm5tb", STRANGER, 3 * DAY + 60, 3 * DAY + 65)
    at, alert = 3 * DAY + 60, novel("files.paste-drop.example", "recyclarr")
    scenario.fires(at + 5, alert)
    scenario.fires(at + 45, alert)
    scenario.fired(at + 75, 4 * DAY)
    scenario.check()


def test_a_rollout_is_no_news() -> None:
    """Neither with Hubble's source_workload nor without, for any kind of pod, at any age of the workload."""
    scenario = names(5 * DAY)
    replaced = {
        "sonarr-5d7c9d8f6b-x2b4c": "sonarr-7f6b4d9c5f-k8w2z",
        "node-agent-x2b4c": "node-agent-k8w2z",
        "kanidm-0": "kanidm-1",
        "pg-main-1": "pg-main-2",
        "home-ops-x7k2p-runner-8fq4d": "home-ops-x7k2p-runner-w5z7t",
        "backup-29480580-qh7wz": "backup-29482020-vm5tb",
    }
    for before, after in replaced.items():
        scenario.asks(before, f"api.{before[:4]}.com.", 0, 4 * DAY)
        scenario.asks(after, f"api.{before[:4]}.com.", 4 * DAY - 20)
    scenario.asks("radarr-5d7c9d8f6b-x2b4c", "api.radarr.video.", 0, 4 * DAY, workload="radarr")
    scenario.asks("radarr-7f6b4d9c5f-k8w2z", "api.radarr.video.", 4 * DAY - 20, workload="radarr")
    scenario.asks("rollout-5d7c9d8f6b-x2b4c", "api.argo.io.", 0, 4 * DAY, workload="rollout-5d7c9d8f6b")
    scenario.asks("rollout-7f6b4d9c5f-k8w2z", "api.argo.io.", 4 * DAY, workload="rollout-7f6b4d9c5f")
    scenario.fired(0, 5 * DAY)
    scenario.check()


def test_a_rollout_that_brings_a_new_name_is_about_that_name_only() -> None:
    scenario = names(4 * DAY)
    scenario.asks(POD, "api.thetvdb.com.", 0, 3 * DAY + 60)
    scenario.asks(LATER, "api.thetvdb.com.", 3 * DAY + 60)
    scenario.asks(LATER, STRANGER, 3 * DAY + 60)
    scenario.fired(0, 4 * DAY, "files.paste-drop.example")
    scenario.check()


def test_source_workload_may_come_and_go() -> None:
    scenario = names(5 * DAY)
    scenario.asks(POD, "api.thetvdb.com.", 0, 4 * DAY)
    scenario.asks(POD, "api.thetvdb.com.", 4 * DAY, workload="sonarr")
    scenario.asks(POD, STRANGER, 4 * DAY + 90, workload="sonarr")
    scenario.fired(0, 5 * DAY, "files.paste-drop.example")
    scenario.check()


def test_a_restarted_agent_is_no_news() -> None:
    """Its counters are gone, and come back one by one as names are asked for again."""
    scenario = names(6 * DAY)
    for number in range(8):
        name = f"api{number}.vendor{number}.com."
        scenario.asks(POD, name, 0, 4 * DAY)
        scenario.asks(POD, name, 4 * DAY + 10 + 240 * number)
    scenario.fired(0, 6 * DAY)
    scenario.check()


@pytest.mark.parametrize(("hours", "step"), [(1, 5), (30, 5), (9 * 24, 10)])
def test_a_scrape_gap_is_no_news_and_hides_nothing_that_comes_after_it(hours: int, step: int) -> None:
    """However long: what is known carries itself on."""
    scenario = names(5 * DAY + hours * HOUR, step)
    scenario.asks(POD, "api.thetvdb.com.")
    scenario.asks(POD, STRANGER, 4 * DAY + 30)
    scenario.outage(4 * DAY, 4 * DAY + hours * HOUR)
    scenario.fires(4 * DAY + hours * HOUR - 10)
    scenario.fires(4 * DAY + hours * HOUR + 20, "files.paste-drop.example")
    scenario.fired(0, 5 * DAY + hours * HOUR, "files.paste-drop.example")
    scenario.check()


def test_a_cold_start_raises_nothing_and_detection_is_live_on_the_fourth_day() -> None:
    """A daily job and a weekly one are learned meanwhile, and a name that is asked for every other day."""
    scenario = names(4 * DAY)
    for number in range(40):
        scenario.asks(f"app{number}-5d7c9d8f6b-x2b4c", f"api.app{number}.com.", 7 * number)
    scenario.asks(POD, "api.thetvdb.com.", 30)
    scenario.asks(POD, "second-day.example.com.", 2 * DAY - 30)
    scenario.asks(POD, STRANGER, 3 * DAY)
    scenario.fires(3 * DAY - 5)
    scenario.fired(0, 4 * DAY, "files.paste-drop.example")
    scenario.check()


def test_a_new_workload_is_learned_for_a_day() -> None:
    scenario = names(6 * DAY)
    for number in range(4):
        scenario.asks(POD, f"api.vendor{number}.com.", 4 * DAY + 300 * number)
    scenario.asks(POD, STRANGER, 5 * DAY + 30)
    scenario.fired(0, 6 * DAY, "files.paste-drop.example")
    scenario.check()


@pytest.mark.parametrize("every", [1, 7, 30])
def test_a_job_that_runs_again_is_no_news(every: int) -> None:
    """Every day, every week with two hours of jitter, every month: names are remembered for 35 days."""
    length = every * DAY + 5 * DAY
    scenario = names(length, step=10)
    scenario.asks("report-29480580-qh7wz", "api.report.io.", 90, 110)
    scenario.asks("report-29482020-vm5tb", "api.report.io.", every * DAY + 4 * DAY, every * DAY + 4 * DAY + 20)
    scenario.asks("report-29482020-vm5tb", STRANGER, every * DAY + 4 * DAY, every * DAY + 4 * DAY + 20)
    scenario.fired(0, length, novel("files.paste-drop.example", "report"))
    scenario.check()


def test_a_name_only_asked_for_at_start_is_no_news_weeks_later() -> None:
    """The agent was restarted meanwhile, so that no counter told of the name for two weeks."""
    scenario = names(20 * DAY, step=10)
    scenario.asks(POD, "telemetry.sonarr.tv.", 0, 5 * DAY)
    scenario.asks(POD, "api.thetvdb.com.", 0, 19 * DAY)
    scenario.asks(LATER, "telemetry.sonarr.tv.", 19 * DAY)
    scenario.fired(0, 20 * DAY)
    scenario.check()


INTERNAL = (
    "api.github.com.media.svc.cluster.local.", "api.github.com.svc.cluster.local.", "api.github.com.cluster.local.",
    "sonarr.media.svc.cluster.local.", "sonarr.media.svc.", "sonarr.", "sonarr", "api.github.com.lan.", "nas.LAN.",
    "lan.", "printer.local.", "router.home.arpa.", "home.arpa.", "4.0.42.10.in-addr.arpa.",
    "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa.", "db.internal.", "pc.localdomain.",
    "nas.home.", "wiki.corp.", "intra.intranet.", "10.0.0.1.", "localhost.", "nas.lan",
)  # fmt: skip


def test_names_that_stay_inside_are_never_told() -> None:
    scenario = names(4 * DAY)
    scenario.asks(POD, "api.github.com.")
    for name in INTERNAL:
        scenario.asks(POD, name, 3 * DAY + 60)
    scenario.fired(0, 4 * DAY)
    scenario.check()


def test_lookalikes_of_inside_names_are_told() -> None:
    """Only the end of a name says who owns it."""
    names_ = ("lan.evil.com", "cluster.local.evil.com", "mycluster-local.com", "in-addr.arpa.evil.io", "xlan.net")
    scenario = names(4 * DAY)
    for number, name in enumerate(names_):
        scenario.asks(f"app{number}-5d7c9d8f6b-x2b4c", "api.github.com.")
        scenario.asks(f"app{number}-5d7c9d8f6b-x2b4c", f"{name}.", 3 * DAY + 60)
    scenario.fired(0, 4 * DAY, *(novel(name, f"app{number}") for number, name in enumerate(names_)))
    scenario.check()


def test_a_refused_lookup_is_told() -> None:
    scenario = names(4 * DAY)
    scenario.asks(POD, "api.github.com.")
    scenario.asks(POD, STRANGER, 3 * DAY + 60, rcode="Policy denied")
    scenario.fired(0, 4 * DAY, "files.paste-drop.example")
    scenario.check()


@pytest.mark.parametrize("apart", [0, 2])
def test_a_tunnel_is_one_alert(apart: int) -> None:
    """All names at once, or one every two minutes: then the first few are told singly."""
    scenario = names(4 * DAY, step=2)
    scenario.asks(POD, "api.github.com.")
    begins = 3 * DAY + 60
    for number in range(40):
        scenario.asks(POD, f"x{number:04x}f3a9.t.evil.com.", begins + apart * number)
    few = [f"x{number:04x}f3a9.t.evil.com" for number in range(5)] if apart else []
    scenario.fires(begins + 40 * apart + 2, "*.evil.com")
    scenario.fires(begins + 45, "*.evil.com")
    scenario.fired(0, begins + 12 * HOUR, *few, "*.evil.com")
    scenario.fires(begins + 4 * HOUR)
    scenario.check()


def test_many_new_names_of_one_workload_are_one_alert() -> None:
    scenario = names(4 * DAY)
    scenario.asks(POD, "api.github.com.")
    for number in range(30):
        scenario.asks(POD, f"www.site{number}.com.", 3 * DAY + 60)
    scenario.fires(3 * DAY + 65, "*")
    scenario.fires(3 * DAY + 100, "*")
    scenario.fired(0, 4 * DAY, "*")
    scenario.fires(3 * DAY + 60 + 80)
    scenario.check()


def test_a_vendor_with_numbered_servers_is_a_family_but_a_shared_domain_never_is() -> None:
    scenario = names(4 * DAY)
    for number in range(6):
        scenario.asks(POD, f"edge-{number}.cdn-vendor.net.")
        scenario.asks(POD, f"bucket-{number}.s3.amazonaws.com.")
        scenario.asks(POD, f"team-{number}.github.io.")
    for name in ("edge-417.cdn-vendor.net.", "stolen.s3.amazonaws.com.", "evil.github.io."):
        scenario.asks(POD, name, 3 * DAY + 60)
    scenario.fired(0, 4 * DAY, "stolen.s3.amazonaws.com", "evil.github.io")
    scenario.check()


def test_workloads_that_reach_anything_are_left_to_volume() -> None:
    """searxng is unbounded in apps.yaml; the controller of the runners is not, though a pattern matches it."""
    scenario = names(4 * DAY)
    controller = "actions-runner-controller"
    for workload in ("searxng", "n8n-worker", controller):
        scenario.asks(f"{workload}-5d7c9d8f6b-x2b4c", "api.github.com.")
        scenario.asks(f"{workload}-5d7c9d8f6b-x2b4c", STRANGER, 3 * DAY + 60)
    scenario.fired(0, 4 * DAY, novel("files.paste-drop.example", controller))
    scenario.check()


def test_the_same_name_is_news_for_each_workload() -> None:
    scenario = names(4 * DAY)
    scenario.asks(POD, STRANGER)
    scenario.asks("radarr-5d7c9d8f6b-x2b4c", "api.radarr.video.")
    scenario.asks("radarr-5d7c9d8f6b-x2b4c", STRANGER, 3 * DAY + 60)
    scenario.fired(0, 4 * DAY, novel("files.paste-drop.example", "radarr"))
    scenario.check()


KNOWN_SOON = (
    "A name is new when no pod of the workload asked for it in the last 35d. The alert ends by itself about an hour "
    "after the first lookup; then the name counts as known."
)


@pytest.mark.parametrize(
    ("asked", "destination", "says"),
    [
        (["we[ir]d|name.exa+mple.com."], "we[ir]d|name.exa+mple.com", "we[ir]d|name.exa+mple.com"),
        ([f"x{number}.evil.com." for number in range(9)], "*.evil.com", "9 new names (*.evil.com)"),
        ([f"www.site{number}.com." for number in range(30)], "*", "30 new names (*)"),
    ],
    ids=["one name", "one domain", "one workload"],
)
def test_what_an_alert_says(asked: list[str], destination: str, says: str) -> None:
    """With an example pod, also where the name has characters that mean something in a regular expression."""
    scenario = names(4 * DAY)
    scenario.asks(POD, "api.github.com.")
    for name in asked:
        scenario.asks(POD, name, 3 * DAY + 60)
    domain = {"destination_domain": ".".join(destination.split(".")[-2:])} if destination != "*" else {}
    who = {"namespace": "media", "workload": "sonarr", "source_namespace": "media", "severity": "warning"}
    scenario.tells(
        3 * DAY + 70,
        "EgressNovelDestination",
        {**who, **domain, "destination": destination, "query": f"{destination}."},
        {
            "summary": f"media/sonarr asked for {says}, which none of its pods asked for before.",
            "description": KNOWN_SOON,
            "pod": POD,
        },
    )
    scenario.check()
