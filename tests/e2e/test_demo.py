"""The demonstration with real parts: from a scrape through the shipped rules and Alertmanager to the phone."""

import asyncio
import http.client
import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from real_prometheus import ends_at
from rule_tests import novel, volume
from tocsin import apps_file
from tocsin.demo import alertmanager, backfill, history, prometheus, story
from tocsin.demo.cluster import Cluster
from tocsin.rules import pack
from tocsin.settings import Settings

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(240)  # each group of rules is evaluated once a minute, after a past was made for all of them
async def test_from_a_lookup_in_the_cluster_to_the_words_on_the_phone(tmp_path: Path) -> None:
    assert prometheus.installed() and alertmanager.installed()
    record = tmp_path / "record.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tocsin", "demo", "--once",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "TOCSIN_DEMO_RECORD": str(record)},
    )  # fmt: skip
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text
    assert "WRONG" not in text and "Not known" not in text, text
    shown = re.sub(r"[│╭╮╰╯─\s]+", " ", text)
    shown = re.sub(r"8 d(?: \d+ h)? of data", "nearly 9 d of data", shown)  # since the first run of a job
    for said in (
        # Hubble's counters: since when, how often, who else
        "recyclarr is bounded and this name is not among its 4 expected destinations.",
        "no pod of recyclarr asked for it in nearly 9 d of data; no other workload asks for paste-drop[.]example",
        # the policy and its history
        "policy recyclarr-allow lets it through: world:443",
        "recyclarr 7.4.1 -> 7.5.0 2 h before (#11999, renovate)",
        # the component's own history
        "Explained: media/sonarr -> images[.]tv-artwork[.]example",
        "4.0.9 -> 4.0.10",
        # cAdvisor and kube-state-metrics: how much, whose, against what
        "MB/s over 10 min against",
        "1 new name, backup-eu.example[.]net (no other workload asks for it)",
        "ok a rollout with the old names only: 0 messages",
    ):
        assert said in shown, f"{said}\n{text}"

    posted = json.loads(record.read_text(encoding="utf-8"))["webhooks"]
    fired = {
        (alert["fingerprint"], alert["startsAt"]): alert["labels"]
        for _, webhook in posted
        for alert in webhook["alerts"]
    }
    wanted = (
        novel(story.STRANGER, "recyclarr"), novel(story.ARTWORK, "sonarr"), volume("10m", "node-red", "home"),
    )  # fmt: skip
    assert len(fired) == len(wanted), "each fires once, and neither a rollout nor the health of anything fires at all"
    for alert in wanted:
        assert any(alert.items() <= labels.items() for labels in fired.values()), f"{alert}\n{fired}"


def test_the_past_of_recording_rules_is_what_they_record(tmp_path: Path) -> None:
    until = ends_at()
    file = tmp_path / "history.om"
    history.write(Cluster(now=lambda: until), file, until, 4.0, story.BURST)
    settings, rules = Settings(), tmp_path / "rules.yaml"
    groups = pack.render(settings.rules, settings.destination, settings.prometheus, apps_file.load(None))
    rules.write_text(pack.rule_file(groups["egress-detection"]), encoding="utf-8")
    with prometheus.running(history=file, rules=[rules]) as url:

        def ask(query: str) -> dict[frozenset[tuple[str, str]], float]:
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
            connection.request("GET", f"/api/v1/query?{urlencode({'query': query, 'time': until})}")
            answer = json.loads(connection.getresponse().read())
            connection.close()
            return {
                frozenset((name, value) for name, value in found["metric"].items() if name != "__name__"): float(
                    found["value"][1]
                )
                for found in answer["data"]["result"]
            }

        compared = 0
        for rule in backfill.recording_rules([rules]):
            if rule.name not in rule.expression:  # what remembers itself has no past to begin with
                recorded = ask(rule.name)
                assert recorded == pytest.approx(ask(rule.expression)), rule.name
                compared += bool(recorded)
        assert compared > 10
        assert ask('workload:egress_tx_bytes:burst{workload="node-red"}'), "only this workload sends more than ever"
        assert len(ask("workload:egress_tx_bytes:burst")) == 1
        assert ask("workload:egress_dns:learned") and not ask("workload_destination:egress_dns:novel")
