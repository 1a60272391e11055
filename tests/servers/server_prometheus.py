"""Prometheus from Debian, on loopback: each second it scrapes the targets that tests write into
its folder."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

from serving.downloads import debian, no_service_started
from serving.place import Place, answers

STOP_WITHIN_S = 20.0
_CONFIGURATION = """\
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
scrape_configs:
  - job_name: tests
    file_sd_configs: [{files: ["TARGETS/*.json"], refresh_interval: 1s}]
"""


def start(place: Place) -> dict[str, str]:
    """Start it without targets."""
    install(place.cache)
    folder, port = place.folder, place.port()
    targets = folder / "targets"
    shutil.rmtree(targets, ignore_errors=True)
    targets.mkdir()
    configuration = folder / "prometheus.yml"
    configuration.write_text(_CONFIGURATION.replace("TARGETS", str(targets)), encoding="utf-8")
    process = place.spawn(
        [
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=2h",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
    )
    place.wait_until(lambda: answers(port), process=process)
    url = f"http://127.0.0.1:{port}"
    place.wait_until(lambda: _is_ready(url), process=process)
    return {"FRAMETALLY_TEST_PROMETHEUS_URL": url, "FRAMETALLY_TEST_PROMETHEUS_TARGETS": str(targets)}


def install(cache: Path) -> None:
    """Install its program, promtool and Alertmanager, without services."""
    del cache
    for program in ("prometheus", "prometheus-alertmanager"):
        if shutil.which(program) is None:
            with no_service_started(program):
                debian(program, [program])


def scrape(targets: Path, name: str, address: str) -> Path:
    """Make it scrape `address` (`127.0.0.1:5001`) as the instance `name`, until the file is removed."""
    file = targets / f"{name}.json"
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps([{"targets": [address], "labels": {"instance": name}}]), encoding="utf-8")
    return fresh.replace(file)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False
