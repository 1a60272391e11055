"""A place with counts, in which rules are checked: all ports are real, and small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.fakes.records import DAY, DAY_MS, make_count, make_coverage, make_manifest, make_run

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger, open_object_store
from frametally.records import encode
from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr
from frametally.settings.loading import load_settings
from frametally_alerts.book import AlertBook
from frametally_alerts.channels.delivery import AlertSender
from frametally_alerts.commands.reports import maker
from frametally_alerts.conditions.round_input import RoundPorts
from frametally_alerts.reports.due_reports import MakeFiles, make_due
from frametally_alerts.rounds import RoundReport, look_at_all
from frametally_alerts.rule_form import make_report, make_rule
from frametally_alerts.rules import Alert, AlertRule, ScheduledReport
from frametally_videos.catalogue_by_url import open_video_catalogue

MINUTE_MS = 60_000
AFTERWARDS_MS = DAY_MS + 7 * 86_400_000

__all__ = ["AFTERWARDS_MS", "DAY", "DAY_MS", "MINUTE_MS", "AlertPlace", "alert_place", "waiting_alert"]


@dataclass
class AlertPlace:
    """The counts of one day, and a book."""

    ports: RoundPorts
    book: AlertBook
    now_ms: int = AFTERWARDS_MS
    published: int = 0

    def count(
        self,
        minutes: Mapping[int, int | None],
        *,
        source: str = "gate",
        label: str = "car",
        day: str = DAY,
        covered_ms: int | None = MINUTE_MS,
        digest: str = "",
    ) -> None:
        """Count a day again: boxes by minute; 0 means footage without boxes, a missing minute means no
        footage."""
        self.publish({source: minutes}, label=label, day=day, covered_ms=covered_ms, digest=digest)

    def publish(
        self,
        sources: Mapping[str, Mapping[int, int | None]],
        *,
        label: str = "car",
        day: str = DAY,
        covered_ms: int | None = MINUTE_MS,
        digest: str = "",
        model: str = "m",
    ) -> None:
        self.published += 1
        day_ms = keys.day_start_ms(day)
        run = make_run(self.published, digest=(digest or f"{self.published:064d}"), day=day, model=model)
        rows = [
            (day_ms + minute * MINUTE_MS, source, number)
            for source, minutes in sources.items()
            for minute, number in sorted(minutes.items())
        ]
        proof: dict[str, Any] = {} if model == "m" else {"evidence": []}
        counts = [
            make_count(start_ms, label, number, source=source, model=model, **proof)
            for start_ms, source, number in rows
            if number
        ]
        coverage = [
            make_coverage(
                start_ms, 5, source=source, detections=number or 0, covered_ms=covered_ms, model=model
            )
            for start_ms, source, number in rows
        ]
        assert self.ports.index.publish(run, counts, coverage)

    def film(self, *spans_ms: tuple[int, int], source: str = "gate") -> None:
        """Produce footage again: a video for each first and last frame, by ms of the day."""
        store = self.ports.store
        for found in [*store.list("media/")]:
            store.delete(found.key)
        for first_ms, last_ms in spans_ms:
            manifest = make_manifest(
                9,
                media=f"{first_ms:064x}",
                source=source,
                span_ms=(DAY_MS + first_ms, DAY_MS + last_ms),
                runs=[(DAY_MS + first_ms, DAY_MS + last_ms)],
            )
            store.put(manifest.key, encode(manifest))

    def objects(self, minutes: Mapping[int, tuple[int | None, int, int | None]], *, fast: int = 0) -> None:
        """Count minutes again: objects, boxes and boxes in tracks; without objects, they are not measured.

        In each minute, `fast` objects were too fast to follow.
        """
        self.published += 1
        run = make_run(self.published, digest=f"{self.published:064d}")
        rows = {DAY_MS + minute * MINUTE_MS: values for minute, values in minutes.items()}
        counts = [
            make_count(at_ms, "car", boxes, objects=objects, tracked_detections=tracked, fast_objects=fast)
            for at_ms, (objects, boxes, tracked) in rows.items()
            if boxes
        ]
        coverage = [
            make_coverage(at_ms, 5, detections=boxes, objects=objects, analysed_fps=5.0, covered_ms=MINUTE_MS)
            for at_ms, (objects, boxes, _) in rows.items()
        ]
        assert self.ports.index.publish(run, counts, coverage)

    def rule(self, name: str = "busy", **given: Any) -> AlertRule:
        """Add a rule that notifies the channel `ops`."""
        values: dict[str, Any] = {
            "what": "count",
            "channels": ["ops"],
            "interval": "1m",
            "since_ms": DAY_MS,
            **given,
        }
        rule = make_rule(name=name, known_channels=values["channels"], now_ms=self.now_ms, **values)
        assert self.book.add(rule)
        return rule

    def rule_of(self, channel: str) -> AlertRule:
        """Add a rule on any count that notifies this channel."""
        return self.rule(channel, channels=[channel], threshold=1)

    def schedule(self, name: str = "weekly", **given: Any) -> ScheduledReport:
        """Add a report for the channel `ops`."""
        values: dict[str, Any] = {
            "every": "monday",
            "at": "07:00",
            "zone": "Europe/Berlin",
            "channels": ["ops"],
            "now_ms": DAY_MS,
            **given,
        }
        report = make_report(name=name, known_channels=values["channels"], **values)
        assert self.book.add(report)
        return report

    def make_reports(self, now_ms: int, make: MakeFiles | None = None) -> tuple[int, list[str]]:
        """Make the reports that are due, from the current counts."""
        ports = self._at(now_ms)
        return make_due(
            self.book, ports, make or maker(ports.settings, ports.store, ports.index, ports.ledger)
        )

    def look(self, now_ms: int | None = None) -> RoundReport:
        return look_at_all(self.book, self._at(self.now_ms if now_ms is None else now_ms))

    def _at(self, now_ms: int) -> RoundPorts:
        return replace(self.ports, now_ms=now_ms)

    def alerts(self) -> list[Alert]:
        """The content of the outbox, oldest first."""
        return [message.alert for message in self.book.messages(10_000)[0]][::-1]

    def told(self) -> list[tuple[int, str, float | None]]:
        """The alerts as minute, state with the revision, and value."""
        return [
            ((alert.start_ms - DAY_MS) // MINUTE_MS, f"{alert.state} {alert.revision}", alert.value)
            for alert in self.alerts()
        ]


@contextmanager
def alert_place(
    folder: Path, place: tuple[str, ServerAccess | None] | None = None, **settings: Any
) -> Iterator[AlertPlace]:
    """A place in a folder; the catalogue's database is at `place`, or in the folder."""
    given = dict(settings)
    for name in {"alert_channels", "alert_secret"} & settings.keys():
        given[name] = SecretStr(settings[name])
    loaded = load_settings(data_dir=folder, **given)
    url, access = place or (loaded.catalogue_url, None)
    with ExitStack() as stack:

        def opened(port: Any) -> Any:
            stack.callback(port.close)
            return port

        ports = RoundPorts(
            loaded,
            opened(open_object_store(loaded.store_url)),
            opened(open_count_index(loaded.index_url)),
            opened(open_ledger(loaded.ledger_url)),
            opened(open_video_catalogue(url, access)),
            now_ms=AFTERWARDS_MS,
        )
        yield AlertPlace(ports, opened(AlertBook(url, access)))


@contextmanager
def waiting_alert(folder: Path, **settings: Any) -> Iterator[tuple[AlertPlace, AlertSender, list[str]]]:
    """Yield a place with one alert that waits to be sent, a sender, and the lines that the sender prints."""
    lines: list[str] = []
    with alert_place(folder, **settings) as place:
        place.rule(threshold=1)
        place.count({0: 4})
        place.look()
        yield place, AlertSender(place.ports.settings, place.book, lines.append), lines
