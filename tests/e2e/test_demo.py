"""The demonstration with real parts: Prometheus scrapes, its rules fire, Alertmanager posts, the phone shows why."""

import asyncio
import os
import re
import sys

import pytest

from tocsin.demo import alertmanager, prometheus

pytestmark = pytest.mark.e2e


async def test_from_a_lookup_in_the_cluster_to_the_words_on_the_phone() -> None:
    assert prometheus.installed() and alertmanager.installed()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tocsin", "demo", "--once",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text
    assert "WRONG" not in text and "Not known" not in text, text
    shown = re.sub(r"[│╭╮╰╯─\s]+", " ", text)
    for said in (
        # Hubble's counters: since when, how often, who else
        "recyclarr is bounded and this name is not among its 4 expected destinations.",
        "no pod of recyclarr asked for it in 8 d",
        "no other workload asks for paste-drop[.]example",
        # the policy and its history
        "policy recyclarr-allow lets it through: world:443",
        "recyclarr 7.4.1 -> 7.5.0 2 h before (#11999, renovate)",
        # kube-state-metrics: the pod, its owner, its age
        "Another sonarr pod asked for it",
        "this pod is new",
        # cAdvisor: how much, against what
        "MB/s over 10 min against",
        "1 new name, backup-eu.example[.]net (no other workload asks for it)",
    ):
        assert said in shown, f"{said}\n{text}"
