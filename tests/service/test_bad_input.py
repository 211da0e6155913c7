"""Thousands of bad and odd requests to a running tocsin: no 5xx, no end, nothing stuck."""

from pathlib import Path

from kit import tocsin, until
from odd_inputs import send, states, told

SEED = 20261125


async def test_bad_input_is_answered_and_what_is_accepted_is_done(tmp_path: Path) -> None:
    store = tmp_path / "tocsin.db"
    async with tocsin(tmp_path, {"mode": "shadow"}) as process:
        await until(lambda: "story_loaded" in [entry["event"] for entry in process.log])
        count = await send(process, SEED, posts=2000, whole=800)
        assert count.bad == []
        assert set(count.posted) <= {200, 400} and min(count.posted.values()) >= 200
        assert sum(count.requested.values()) >= 200
        assert set(count.requested) <= {100, 200, 400, 404, 405, 417}
        await until(lambda: not set(states(store)) & {"due", "claimed"}, within=60)
        assert sum(states(store).values()) >= count.posted[200]
        dead, with_a_message = told(store)
        assert dead == with_a_message == 0, [entry for entry in process.log if entry["event"] == "event_failed"][:3]
        assert await process.stop() == 0
    assert "not json" not in [entry["event"] for entry in process.log]
