"""A stage of the pipeline in a separate process, as the command line runs it, with random delays.

The tests start it by a fork server that has the imports done, which makes a start cheap enough to kill
hundreds.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any


def hold(seconds: float) -> None:
    """Stay within a library call, during which Python does not receive signals."""
    deaf = {
        number for number in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(number) != signal.SIG_DFL
    }
    signal.pthread_sigmask(signal.SIG_BLOCK, deaf)
    time.sleep(seconds)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, deaf)


def slow_down(hold_put_until: str | None, output: str) -> None:
    """Add jitter before every put and every detection, so that everything that can overlap does, differently
    each time.

    `hold_put_until` names a file: the first put of a segment waits until it exists.
    """
    import frametally_models.prepare
    import frametally_producer.writing.frames
    import frametally_producer.writing.manifest
    from frametally.adapters.files.folder_store import FileStore

    # Often enough for progress even if a producer is killed several times a second.
    frametally_producer.writing.frames._ANNOUNCE_FRAMES = 5
    frametally_producer.writing.manifest.NOTE_EVERY_S = 0.1
    if "FAULTS_STOP_WITHIN_S" in os.environ:
        import frametally_consumer.worker.loop

        frametally_consumer.worker.loop._STOP_WITHIN_S = float(os.environ["FAULTS_STOP_WITHIN_S"])

    jitter_s = float(os.environ.get("FAULTS_JITTER_S", "0.01"))
    plain_put = FileStore.put

    def put(self: FileStore, key: str, data: bytes, **kwargs: bool) -> bool:
        time.sleep(random.uniform(0, jitter_s))  # noqa: S311
        if hold_put_until and key.startswith("metadata/"):
            Path(hold_put_until + ".holding").touch()
            while not Path(hold_put_until).exists():
                time.sleep(0.01)
        return plain_put(self, key, data, **kwargs)

    FileStore.put = put
    load = frametally_models.prepare.prepare_detector

    def load_slow_detector(*args: object) -> object:
        if "FAULTS_LOADING_S" in os.environ:
            Path(output).with_suffix(".loading").touch()
            hold(float(os.environ["FAULTS_LOADING_S"]))
        detector: Any = load(*args)  # type: ignore[arg-type]
        # The consumer calls `start` if there is one, else `detect`.
        name = "start" if hasattr(detector, "start") else "detect"
        plain = getattr(detector, name)

        def slowed(*args: object, **kwargs: object) -> object:
            if "FAULTS_DETECTION_S" in os.environ:
                Path(output).with_suffix(".detecting").touch()
                time.sleep(float(os.environ["FAULTS_DETECTION_S"]))
            time.sleep(random.uniform(0, jitter_s / 2))  # noqa: S311
            return plain(*args, **kwargs)

        setattr(detector, name, slowed)
        return detector

    frametally_models.prepare.prepare_detector = load_slow_detector  # type: ignore[assignment]


def run(arguments: list[str], environment: dict[str, str], output: str) -> None:
    os.environ.update(environment)
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    from frametally.console import output as console

    console.err().file = sys.stderr
    console.out().file = sys.stdout
    slow_down(environment.get("FAULTS_HOLD_PUT_UNTIL"), output)
    from frametally_cli.main import main

    code = main(arguments)
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    # Set by runpy.run_path(..., init_globals=...).
    run(*(globals()[name] for name in ("ARGUMENTS", "ENVIRONMENT", "OUTPUT")))
