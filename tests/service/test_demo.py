"""The demonstration where Prometheus and Alertmanager cannot be found; elsewhere it is a test itself."""

import asyncio
import os
import shutil
import sys
from pathlib import Path


async def test_without_real_parts_it_says_so_and_plays_the_record(tmp_path: Path) -> None:
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "git").symlink_to(git)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tocsin", "demo", "--once",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PATH": str(tmp_path)},
    )  # fmt: skip
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text
    assert text.startswith("Prometheus and Alertmanager cannot be found here")
    assert "WRONG" not in text and "Not known" not in text
    for begins in ("Unexplained: media/recyclarr", "Explained: media/sonarr", "Suspicious: home/node-red"):
        assert text.count(begins) == 1
    assert "ok    a rollout with the old names only: 0 messages" in text
