"""One simulated week: 30 workloads, what they do that is odd and harmless, and the attacks that must be found."""

from simulated_cast import GB, KB, MB, Cast
from simulated_week import DAY, HOUR, Week, Workload, asks, fill, job_pod, run_pods, sends, tag

SHARED = "s3.amazonaws.com"


def week(seed: int, learning: int = 3, scored: int = 7) -> Week:
    """The same seed gives the same week."""
    cast = Cast(seed, learning, scored)
    _workloads(cast)
    _oddities(cast)
    _novel_attacks(cast)
    _volume_attacks(cast)
    return cast.week(seed)


def _workloads(cast: Cast) -> None:
    dice, runs = cast.dice, cast.runs
    runs("media/sonarr", "quiet, bursts of some 100 kB/s", cast.bursty(5 * KB, 300 * KB, 6), rollouts=3, names=20)
    runs("media/radarr", "quiet, bursts of some 100 kB/s", cast.bursty(5 * KB, 250 * KB, 5), rollouts=2, names=16)
    runs("media/jellyfin", "streams in the evening", cast.bursty(3 * KB, 2.5 * MB, 3, (17, 24)), rollouts=1, names=10)
    runs("media/jellyseerr", "rotating CDN", cast.quiet(8 * KB), rollouts=1, names=10)
    runs("media/qbittorrent", "uploads all day", cast.bursty(800 * KB, 4 * MB, 8), kind="StatefulSet", names=14)
    runs("photos/immich-server", "serves photos", cast.bursty(10 * KB, 1.2 * MB, 3, (8, 23)), replicas=2, names=8)
    runs("photos/immich-ml", "quiet", cast.quiet(2 * KB), rollouts=2, names=5)
    runs("home/home-assistant", "unbounded", cast.quiet(20 * KB), kind="StatefulSet", names=20)
    runs("home/zigbee2mqtt", "quiet", cast.quiet(1 * KB), names=4)
    runs("home/frigate", "steady stream to the LAN", cast.quiet(220 * KB, 0.1), kind="StatefulSet", names=4)
    runs("office/paperless", "quiet", cast.quiet(2 * KB), rollouts=2, names=6)
    runs("office/nextcloud", "by day", cast.diurnal(900 * KB, 15 * KB), rollouts=2, names=15)
    runs("office/collabora", "by day", cast.diurnal(200 * KB, 4 * KB), names=5)
    runs("web/blog", "by day", cast.diurnal(400 * KB, 30 * KB, 18), replicas=2, rollouts=3, names=6)
    runs("web/shop", "by day, much", cast.diurnal(5 * MB, 60 * KB, 15), replicas=3, rollouts=3, names=12)
    runs("search/searxng", "unbounded", cast.diurnal(60 * KB, 5 * KB, 20), names=12)
    runs("database/postgres", "replicates", cast.bursty(150 * KB, 600 * KB, 5), kind="Cluster", replicas=2, names=3)
    runs("database/redis", "quiet", cast.quiet(40 * KB), kind="StatefulSet", names=2)
    runs("storage/syncthing", "sends at night, runs all day", cast.quiet(3 * KB), names=6)
    runs("mail/stalwart", "mail by day", cast.diurnal(80 * KB, 5 * KB, 10), kind="StatefulSet", names=18)
    runs("observability/promtail", "ships logs", cast.quiet(60 * KB), kind="DaemonSet", replicas=3, names=3)
    runs("observability/grafana", "quiet", cast.quiet(6 * KB), names=7)
    runs("network/external-dns", "quiet", cast.quiet(1 * KB), names=3)
    runs("network/cloudflared", "tunnel, by day", cast.diurnal(500 * KB, 40 * KB, 19), replicas=2, names=4)
    runs("network/node-agent", "hostNetwork", cast.bursty(4 * MB, 40 * MB, 6), kind="DaemonSet", replicas=3, names=0,
         host_network=True)  # fmt: skip
    for minute, minutes, rate in cast.nights(4, 40, 1.5 * MB):
        sends(cast["syncthing"].pods, minute, minutes, rate)
    cast.job("database/pg-backup", "nightly, 1.5 GB", cast.nights(2, 8, 3 * MB))
    cast.job("storage/restic", "nightly, 18 GB", cast.nights(3, 10, 30 * MB, 1.03))
    sunday = dice.uniform(0, 7) * DAY
    cast.job("storage/offsite", "weekly, 30 GB",
             [(at, 25, 20 * MB) for at in (sunday, sunday + 7 * DAY, sunday + 14 * DAY) if at < cast.length - HOUR],
             names=4)  # fmt: skip
    cast.job(
        "mail/fetcher", "every hour", [(hour * 60 + dice.uniform(0, 1), 4, 20 * KB) for hour in range(cast.days * 24)]
    )
    _runner(cast)


def _runner(cast: Cast) -> None:
    dice = cast.dice
    runner = Workload("actions-runner-system", "gha-runner", "EphemeralRunner", "unbounded", True)
    cast.workloads.append(runner)
    for day in range(cast.days):
        for _ in range(12):
            begin = day * DAY + dice.uniform(7, 22) * HOUR
            name = f"gha-runner-{tag(dice, 5)}-runner-{tag(dice, 5)}"
            pod = job_pod(runner, dice, begin, dice.uniform(4, 40))
            pod.name, pod.owner = name, ("EphemeralRunner", name)
            fill(pod, lambda at: dice.lognormvariate(0, 1) * 300 * KB, cast.length)
            for asked in ("github.com", "api.github.com", "ghcr.io", cast.strange(), cast.strange()):
                asks(pod, asked, begin + dice.uniform(0.1, 3))


def _odd_name(cast: Cast, workload: str, name: str, at: float, why: str) -> None:
    cast[workload].why.setdefault(name, why)
    cast.ask(cast[workload], name, at)


def _odd_sending(cast: Cast, workload: str, at: float, minutes: float, rate: float, why: str) -> None:
    sends(cast[workload].pods, at, minutes, rate)
    cast[workload].sent.append((at, at + minutes, why))


def _oddities(cast: Cast) -> None:
    """Harmless, and found out of the ordinary by a rule that knows less than the generator."""
    dice = cast.dice
    at = 0.0
    while at < cast.length:  # about 12 numbered servers a day, most of them new
        _odd_name(cast, "jellyseerr", f"edge-{dice.randrange(1000)}.cdn-vendor.example", at, "rotating CDN")
        at += dice.uniform(60, 180)
    for workload in ("home-assistant", "searxng"):
        for _ in range(cast.days * 20):
            _odd_name(cast, workload, cast.strange(), dice.uniform(0, cast.length), "unbounded: users decide")
    # The buckets of an app that uses several on a shared domain, from the first day.
    for workload in ("immich-server", "paperless", "grafana"):
        for number in range(6):
            for at in (dice.uniform(0, DAY), *(dice.uniform(0, cast.length) for _ in range(6))):
                _odd_name(cast, workload, f"{workload}-{number}.{SHARED}", at, "one of its buckets")
    upgraded = cast["sonarr"]
    moment = cast.moment()
    names = [f"{host}.sonarr-vendor.example" for host in ("v5", "feed", "push")]
    for name in [*names, "api.newer-library.example", "cdn.newer-library.example"]:
        upgraded.why[name] = "app upgrade"
        for later in (dice.uniform(0, 5), dice.uniform(30, 90), 300, 1500):
            cast.ask(upgraded, name, moment + later)
    for workload in ("radarr", "stalwart"):
        _odd_name(cast, workload, f"mirror.{workload}-fallback.example", cast.moment(), "fail-over to a mirror, once")
    for number in range(4):  # a name a week, known to the scored week only when it was asked for in the learning days
        for at in (dice.uniform(0, 7) * DAY + week * 7 * DAY + dice.uniform(-120, 120) for week in (0, 1, 2)):
            _odd_name(cast, ("grafana", "nextcloud", "blog", "frigate")[number], f"weekly-{number}.check.example", at,
                      "asked for once a week, never before in the record")  # fmt: skip
    _new_app(cast)
    for workload, size, rate in (("immich-server", 8 * GB, 7 * MB), ("nextcloud", 3 * GB, 4 * MB)):
        _odd_sending(cast, workload, cast.moment(), size / rate / 60, rate, "a user shares a large folder, once")


def _new_app(cast: Cast) -> None:
    dice = cast.dice
    begin = cast.moment(2.5)
    wiki = Workload("office", "wiki", "Deployment", "installed in the week", dice.random() < 0.5)
    cast.workloads.append(wiki)
    run_pods(wiki, dice, cast.length, 1, [begin + 3 * HOUR], begin)
    for pod in wiki.pods:
        fill(pod, cast.quiet(30 * KB), cast.length)
        for number in range(8):
            asks(pod, f"n{number}.wiki-vendor{number // 3}.example", pod.start + dice.uniform(0.1, 5))
    for hours in (0.1, 26, 50):
        wiki.why["daily.wiki-check.example"] = "new app"
        cast.ask(wiki, "daily.wiki-check.example", begin + hours * HOUR)
    wiki.why["weekly.wiki-check.example"] = "new app, a name it needs after two days"
    cast.ask(wiki, "weekly.wiki-check.example", begin + 49 * HOUR)


def _novel_attacks(cast: Cast) -> None:
    dice = cast.dice
    victims = [
        "radarr", "jellyfin", "immich-ml", "zigbee2mqtt", "frigate", "collabora", "blog", "shop", "postgres", "redis",
        "syncthing", "stalwart", "promtail", "grafana", "external-dns", "cloudflared", "nextcloud", "qbittorrent",
    ]  # fmt: skip
    dice.shuffle(victims)
    take = iter(victims)

    def once(kind: str, workload: Workload, at: float, detail: str, grace: float = 0) -> str:
        name = cast.strange()
        cast.ask(workload, name, at)
        for domain in (f"{workload.namespace}.svc.cluster.local", "cluster.local", "example.home"):
            cast.ask(workload, f"{name}.{domain}", at)
        cast.novel(kind, workload, at, [name], detail, grace)
        return name

    for _ in range(2):
        once("single lookup", cast[next(take)], cast.moment(), "one lookup, then silence")
    for _ in range(2):
        workload, at = cast[next(take)], cast.moment(1)
        name = once("beacon", workload, at, "every 5 min for 6 h")
        for number in range(1, 72):
            cast.ask(workload, name, at + number * 5 * dice.uniform(0.9, 1.1))
    rolled = [pod for name in victims[4:] for pod in cast[name].pods
              if cast[name].kind == "Deployment" and cast.learning * DAY < pod.start < cast.length - DAY]  # fmt: skip
    pod = dice.choice(rolled)
    name, at = cast.strange(), pod.start + 1.5
    asks(pod, name, at)
    cast.novel("fresh pod", pod.workload, at, [name], "90 s after its pod was rolled out")
    begin, end = cast.outages[-1]
    once("outage", cast[next(take)], begin + 5, "5 min into an outage of Prometheus of 45 min", end - begin)
    workload = cast[next(take)]
    node = workload.pods[-1].node
    restart = next((at for at in cast.restarts[node] if at > cast.learning * DAY and workload.at(at)), cast.moment())
    once("agent restart", workload, restart + 2, "2 min after the agent restarted, or thereabouts")
    for bucket in ("immich-server", "paperless"):
        at, name = cast.moment(), f"{tag(dice, 12)}.{SHARED}"
        cast.ask(cast[bucket], name, at)
        cast.novel("new bucket", cast[bucket], at, [name], "on a shared domain the app uses")
    workload, at, domain = cast[next(take)], cast.moment(), f"{tag(dice, 8)}.example"
    names = [f"{tag(dice, 40)}.t.{domain}" for _ in range(300)]
    for name in names:
        cast.ask(workload, name, at + dice.uniform(0, 30))
    cast.novel("tunnel", workload, at, names, "300 names under one domain in 30 min")
    workload, at = cast[next(take)], cast.moment()
    names = [cast.strange() for _ in range(40)]
    for name in names:
        cast.ask(workload, name, at + dice.uniform(0, 20))
    cast.novel("burst of names", workload, at, names, "40 names of 40 domains in 20 min")
    job = cast["restic"]
    night = dice.choice([pod for pod in job.pods if pod.start > (cast.learning + 0.5) * DAY])
    name = cast.strange()
    asks(night, name, night.start + 4)
    cast.novel("from a job", job, night.start + 4, [name], "a nightly job, one lookup")
    fetcher = cast["fetcher"]
    brief = dice.choice([pod for pod in fetcher.pods if (cast.learning + 0.5) * DAY < pod.start < cast.length - DAY])
    name = cast.strange()
    asks(brief, name, brief.start + 2.5)
    cast.novel("brief pod", fetcher, brief.start + 2.5, [name], "90 s before the pod ends")


def _volume_attacks(cast: Cast) -> None:
    dice = cast.dice
    # A drip of 5 GB a day shows only where a day is smaller than half of that; the first of these send least.
    small = ["radarr", "immich-ml", "zigbee2mqtt", "stalwart", "grafana", "external-dns", "paperless", "jellyseerr",
             "sonarr", "home-assistant"]  # fmt: skip
    middle = ["blog", "cloudflared", "postgres", "jellyfin"]
    dice.shuffle(small)
    dice.shuffle(middle)
    for name in (*small[:2], middle[0]):
        cast.volume("bulk", cast[name], cast.moment(), 10, 2 * GB / 600)
    for name in (small[2], middle[1]):
        cast.volume("20 GB in an hour", cast[name], cast.moment(), 60, 20 * GB / 3600)
    cast.volume(
        "100 MB/s", cast[dice.choice([*small[3:5], "frigate", "shop", "qbittorrent"])], cast.moment(), 20, 100 * MB
    )
    # Below what the app sends by day.
    for name, rate in (("nextcloud", 1.4 * MB), ("shop", 4 * MB), ("cloudflared", 1.1 * MB)):
        night = int(cast.moment(1) // DAY) * DAY + dice.uniform(25.5, 28) * HOUR
        cast.volume("at night", cast[name], night, dice.uniform(45, 90), rate)
    for name in small[5:7]:
        cast.volume("drip", cast[name], cast.moment(2.2), 2 * DAY, 5 * GB / 86_400)
    # In the afternoon, below what the job sends at night.
    day = int(cast.moment(1) // DAY) * DAY
    cast.volume("job outside its hour", cast["syncthing"], day + dice.uniform(13, 18) * HOUR, 30, 1.3 * MB)
    day = int(cast.moment(1) // DAY) * DAY
    at = day + dice.uniform(13, 18) * HOUR
    job = cast["restic"]
    pod = job_pod(job, dice, at, 12)
    fill(pod, lambda _: 0.0, cast.length)
    cast.volume("job outside its hour", job, at + 1, 10, 12 * MB, [pod])
    # From a pod that was rolled out just before.
    rolled = [
        pod for name in small[7:] for pod in cast[name].pods if cast.learning * DAY < pod.start < cast.length - DAY
    ]
    if rolled:
        pod = dice.choice(rolled)
        cast.volume("fresh pod", pod.workload, pod.start + 8, 15, 3 * MB, [pod])
