"""`/metrics` shows the books, reads nothing itself, and is in Prometheus's format."""

from __future__ import annotations

import re
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as families
from tests.web.conftest import Place, Serving
from tests.web.counted_footage import make_lines, publish_lines, put_manifest

from frametally.errors import Retryable
from frametally_web.app import parts_of


def scraped(url: str, accept: str = "", host: str = "localhost") -> tuple[str, str]:
    asked = urllib.request.Request(f"{url}/metrics", headers={"Accept": accept, "Host": host})  # noqa: S310
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
        return answer.read().decode(), answer.headers["Content-Type"]


def values(body: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for one in families(body)
        for sample in one.samples
        if not sample.name.endswith("_bucket")
    }


def film(place: Place) -> None:
    lines = make_lines("gate", frames=60)
    publish_lines(place, lines)
    put_manifest(place, lines[0], lines[-1], "The gate")


@pytest.mark.thorough
def test_the_metrics_match_the_books(place: Place, serving: Serving) -> None:
    film(place)
    app = place.app()
    books: Any = app.test_client().get("/api/v1/status").json
    (source,) = books["sources"]
    body, content_type = scraped(serving(app))
    assert content_type.startswith("text/plain; version=0.0.4; charset=utf-8")
    found = values(body)
    for name in ("announced", "detected", "counted", "indexed"):
        assert found[f"frametally_frames_{name}_total", "gate"] == source[name]
    assert found["frametally_frames_detected_total", "gate"] == 60
    assert found["frametally_newest_footage_timestamp_seconds", "gate"] == books["footage_until_ms"] / 1000
    assert found["frametally_books_up",] == 1
    assert found["frametally_disk_free_bytes",] > 0


CHART = Path(__file__).resolve().parents[2] / "cloud-services/kubernetes"


def test_in_a_cluster_prometheus_reaches_a_pod_by_address_and_an_index_outage_keeps_it_ready(
    place: Place, serving: Serving
) -> None:
    template = (CHART / "templates/_helpers.tpl").read_text(encoding="utf-8")
    (hosts,) = re.findall(r'FRAMETALLY_WEB_HOSTS, value: {{ printf "([^"]+)"', template)
    (probe,) = re.findall(r"readinessProbe:\n +httpGet: {path: ([^,]+), port: web", template)
    names = hosts.replace("$(POD_IP)", "10.1.2.3").replace("%s-dashboard", "counts-dashboard")
    url = serving(place.app(web_hosts=names.replace("%s", "counts.example.org")))
    place.index.error = Retryable("the index is away", part="index")
    assert "frametally_build_info" in scraped(url, host="10.1.2.3:5001")[0]
    with pytest.raises(urllib.error.HTTPError, match="421"):
        scraped(url, host="10.9.9.9:5001")
    with urllib.request.urlopen(url + probe, timeout=30) as answer:  # noqa: S310
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(url + "/healthz", timeout=30)  # noqa: S310


@pytest.mark.thorough
def test_prometheus_gets_its_preferred_format(place: Place, serving: Serving) -> None:
    body, content_type = scraped(serving(place.app()), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith("# EOF\n")


@pytest.mark.thorough
def test_a_scrape_reads_nothing_itself_and_waits_for_nothing(place: Place, serving: Serving) -> None:
    film(place)
    app = place.app(status_s=3600.0)
    url = serving(app)
    scraped(url)
    parts_of(app).context.books.reading()
    place.go_away()  # a query of the index would fail now
    place.index.asked.clear()
    before = [threading.active_count()]
    for _ in range(50):
        assert values(scraped(url)[0])["frametally_frames_detected_total", "gate"] == 60
    assert place.index.asked == []
    assert threading.active_count() <= before[0] + 2


def test_unreadable_books_are_reported_and_no_counter_is_0(place: Place, serving: Serving) -> None:
    film(place)
    place.index.error = Retryable("away")
    found = values(scraped(serving(place.app()))[0])
    assert found["frametally_books_up",] == 0
    assert not any(name.startswith("frametally_frames_") for name, *_ in found)
    assert found["frametally_disk_free_bytes",] > 0
