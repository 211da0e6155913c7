"""Time to ready and idle resident memory, against a hello-world aiohttp service, alternating in one run."""

import statistics
import tempfile
import time
from pathlib import Path

import load

ROUNDS = 5


def main() -> None:
    seconds: dict[str, list[float]] = {"bare": [], "tocsin": []}
    memory: dict[str, list[float]] = {"bare": [], "tocsin": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "tocsin.yaml"
            path.write_text(
                f"server: {{host: 127.0.0.1, port: 0}}\nstore: {{path: {directory}/tocsin.db}}\n"
                "prometheus: {url: 'http://127.0.0.1:9'}\nchannels: {phone: {type: ntfy, topic: a}}\n"
            )
            serve = ["-m", "tocsin", "serve", "--config", str(path)]
            for name, arguments, ready in (
                ("bare", [str(load.HERE / "bare.py")], r"http://127.0.0.1:(\d+)"),
                ("tocsin", serve, r'"address": "127.0.0.1:(\d+)"'),
            ):
                with load.running(arguments, ready) as (process, _, took):
                    time.sleep(1.5)
                    seconds[name].append(took)
                    memory[name].append(load.resident_mib(process.pid))
    for what, found, unit in (("time to ready", seconds, "s"), ("idle RSS", memory, "MiB")):
        bare, ours = statistics.median(found["bare"]), statistics.median(found["tocsin"])
        print(f"{what}: {ours / bare:.2f} of bare aiohttp ({ours:.2f} against {bare:.2f} {unit})")


main()
