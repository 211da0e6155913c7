"""Killed at random instants and at every named step, under load: nothing accepted is lost."""

from pathlib import Path

import pytest

from crashing import STEPS
from kills import AT_RANDOM, LANES, run

KILLS = 2 * len(STEPS)


@pytest.mark.timeout(300)
async def test_nothing_accepted_is_lost_however_often_it_is_killed(tmp_path: Path) -> None:
    tally = await run(tmp_path, KILLS, seed=20261125)
    assert tally.kills == {AT_RANDOM: KILLS // 2, **dict.fromkeys(STEPS, 1)}
    assert tally.lost == set()
    assert tally.repeated <= LANES * KILLS, "told twice is at most what was on its way when it was killed"
    assert tally.told.keys() >= tally.accepted and len(tally.accepted) > KILLS
    assert tally.under_load > KILLS // 2
