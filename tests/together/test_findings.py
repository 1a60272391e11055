"""Each trouble is one finding: every view names it once, in the same words, and no view is green over it."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.capabilities import needs
from tests.commands import frametally
from tests.fakes.memory import MemoryLog
from tests.web.counted_footage import MODEL
from tests.web.test_blank_footage_api import film

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger, open_object_store
from frametally.books.figures import BooksCollector, GrowingSums, LastReading
from frametally.books.index_lag import beyond_store, of_earlier_rules, to_count_again
from frametally.books.quality_reports import QualityCheck, read_quality
from frametally.books.runs import current_runs
from frametally.books.status import Status, read_status
from frametally.books.verdict import SourceLine, judge
from frametally.checkup.findings import SEVERITIES, Finding
from frametally.model_records import InputCheck
from frametally.ports.opened import Ports
from frametally.records import encode
from frametally.rules.times import DAY_MS, HOUR_S
from frametally.settings.loading import Settings, load_settings
from frametally_cli.main import main
from frametally_web.translations.texts import problem_text

pytestmark = [pytest.mark.thorough, needs("accounts", "live", "privacy", "retention", "videos")]

OF_PARTS = {
    "disk": "the disk of {}: ",
    "model": "own: finds 1.0 in 8 frames of park, but 9.0 with FRAMETALLY_MODEL_CFG=yolox",
    "backup": "backup: none; run `frametally backup`",
    "camera": "Roof: not responding; see the page /live",
    "job": "1 job of videos failed, since ",
    "retention": "nobody has applied the rules for two hours; run `frametally retention apply",
    "erasure": "unfinished erasure of park, 1970-01-01",
}
"""The troubles of an installation by their area, in the words of every view; the disk's has its folder."""
NOTICES = {
    "footage": "Park: 60 s black, up to 50.0% of a day's footage; it shows nothing, so no number includes it",
    "quality": "lines readable: failed for 2024-05-01 (2); see `frametally quality`",
}


class Troubled:
    """A data folder with one of each trouble that a glance can find."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Settings = load_settings(data_dir=folder)
        self.store = open_object_store(self.settings.store_url)
        self.index = open_count_index(self.settings.index_url)
        place = SimpleNamespace(store=self.store, settings=self.settings, real_index=self.index)
        film(place, minutes=2, black=(0, 1))  # type: ignore[arg-type]
        for plan in (self.check, self.model, self.account, self.camera, self.job, self.rule, self.erasure):
            plan()

    def check(self) -> None:
        run = next(run for run in current_runs(self.store) if run.model == MODEL)
        report = read_quality(self.store, run)
        assert report is not None
        failed = QualityCheck(name="lines readable", passed=False, count=2)
        self.store.put(report.key, encode(msgspec.structs.replace(report, checks=[failed])))

    def model(self) -> None:
        check = InputCheck(
            model="own",
            sha256="a",
            setting="yolo",
            frames=8,
            sources=["park"],
            sums={"yolo": 1.0, "yolox": 9.0},
            better="yolox",
        )
        self.store.put(check.key, encode(check))
        self.store.put(f"{keys.METADATA}/model=own/note", b"")

    def account(self) -> None:
        from frametally_accounts.book import AccessBook
        from frametally_accounts.rights import UserAccount

        with closing(AccessBook(self.settings.catalogue_url)) as book:
            assert book.add_account(UserAccount("ann", "run", ()))
        with closing(sqlite3.connect(self.folder / "catalogue.sqlite")) as connection, connection:
            changed = f"UPDATE frametally_accounts SET created_at_ms = created_at_ms - {3 * DAY_MS}"  # noqa: S608
            connection.execute(changed)

    def camera(self) -> None:
        from frametally_live.feed_records import Feed, FeedTold
        from frametally_live.live_book_by_url import open_live_book

        with closing(open_live_book(self.settings)) as book:
            assert book.put_camera(Feed("r", "camera", "roof", "Roof", address="rtsp://10.0.0.1/a"))
            claimed = book.claim_feed("w", ("camera",), lease_s=600)
            assert claimed
            book.release_feed(claimed, FeedTold("failed", "not responding"))

    def job(self) -> None:
        from tests.videos.video_records import make_video

        from frametally_videos.catalogue_by_url import open_video_catalogue

        video = make_video()
        self.store.put(video.key, encode(video))
        with closing(open_video_catalogue(self.settings.catalogue_url)) as catalogue:
            catalogue.put_video(video, "1")
            catalogue.set_video(video.id, state="ready")
            catalogue.queue(video.id, "frames")
            job = catalogue.claim("w", ("frames",), lease_s=60)
            assert job is not None
            catalogue.end(job, "failed", reason="no disk")

    def rule(self) -> None:
        from frametally_retention.policy import RetentionRule, set_rule

        set_rule(self.store, RetentionRule(kind="frames", source="", after_ms=DAY_MS))
        late_s = time.time() - 3 * HOUR_S
        os.utime(self.folder / "store" / keys.RETENTION_POLICY, (late_s, late_s))

    def erasure(self) -> None:
        from frametally_privacy.erasure_records import Erasure

        begun = Erasure(
            id="0123456789ab", source="park", from_ms=0, to_ms=1, keeps_counts=True, began_at_ms=1
        )
        self.store.put(begun.key, encode(begun))

    def status(self) -> Status:
        with closing(open_ledger(self.settings.ledger_url)) as ledger:
            ports = Ports(settings=self.settings, store=self.store, log=MemoryLog(), index=self.index)
            return read_status(ports, ledger)


@pytest.fixture
def troubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Troubled:
    monkeypatch.setenv("FRAMETALLY_MIN_FREE_DISK_MB", str(10**9))
    monkeypatch.setenv("COLUMNS", "400")
    return Troubled(tmp_path)


def test_each_trouble_is_named_once_in_each_view_in_the_same_words(
    troubled: Troubled, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*command: str) -> str:
        main([*command, "--data-dir", str(troubled.folder)])
        printed = capsys.readouterr()
        return " ".join((printed.out + printed.err).split())

    words = OF_PARTS | {"disk": OF_PARTS["disk"].format(troubled.folder)}
    printed = said("status")
    lines = words | NOTICES
    assert {area: printed.count(line) for area, line in lines.items()} == dict.fromkeys(lines, 1)

    books: dict[str, Any] = json.loads(said("status", "--json"))
    assert Counter(need["area"] for need in books["needs"]) == Counter(words.keys())
    assert (
        dict.fromkeys((*words, *NOTICES), 1).items()
        <= Counter(finding["area"] for finding in books["findings"] if finding["severity"] != "good").items()
    )

    api = json.loads(said("api", "status"))
    for kinds, shown in ((words, api["needs"]), (NOTICES, api["notices"])):
        assert Counter(need["kind"] for need in shown) == Counter(kinds.keys())
        assert [need["kind"] for need in shown if kinds[need["kind"]] not in need["line"]] in ([], ["disk"])

    status = troubled.status()
    collector = BooksCollector(lambda: LastReading(0, status), GrowingSums(troubled.folder))
    figures = {metric.name: metric for metric in collector.collect()}
    for name, kinds in (("frametally_needs", words), ("frametally_notices", NOTICES)):
        counted = {sample.labels["kind"]: sample.value for sample in figures[name].samples}
        assert counted == dict.fromkeys(kinds, 1)

    rows = json.loads(said("doctor", "--json"))["rows"]
    assert dict.fromkeys(words, 1).items() <= Counter(row["area"] for row in rows if not row["good"]).items()
    assert Counter(row["area"] for row in rows if row["area"] in NOTICES) == Counter(NOTICES.keys())
    shown = {(row["area"], row["name"], row["remedy"]) for row in rows}
    assert {(one.area, one.name, one.remedy) for one in status.findings} <= shown


def test_a_quality_report_is_broken_on_the_page_and_the_command_line_from_its_damage_to_its_repair(
    troubled: Troubled, capsys: pytest.CaptureFixture[str]
) -> None:
    assert troubled.status().broken == []
    [path] = (troubled.folder / "store").rglob("_quality.json")
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert main(["status", "--data-dir", str(troubled.folder)]) == SEVERITIES["broken"].status
    assert capsys.readouterr().out.count("_quality.json") == 1
    for arguments in ((), ("--deep",)):
        done = frametally("doctor", "--json", *arguments, "--data-dir", troubled.folder, code=2)
        bad = [row for row in json.loads(done.out)["rows"] if not row["good"]]
        assert sum("_quality.json" in f"{row['value']} {row['remedy']}" for row in bad) == 1
    status = troubled.status()
    assert ["_quality.json" in finding.line for finding in status.broken] == [True]
    assert status.needs[0].area == "books"
    path.write_bytes(whole)
    assert troubled.status().broken == []


def lines_of_a_source(**figures: Any) -> Iterator[Finding]:
    """Yield what is judged of a source with these figures, in every state of the log."""
    line = dict.fromkeys(SourceLine._fields, 0) | figures
    books = SourceLine(**line | {"source": "gate", "source_name": "Gate"})
    for drained, has_damage in ((False, False), (True, False), (True, True)):
        yield from judge(
            [books],
            uncounted_frames={"gate": 1},
            drained=drained,
            correcting=False,
            has_damage=has_damage,
        )


SOURCES: list[dict[str, Any]] = [
    *({"expected": n, "announced": n - left} for n, left in ((2, 1), (5, 3))),
    {"producing": True},
    {"producing": True, "capturing": True},
    *({"expected": n, "announced": n, "detected": n + 1, "counted": n + 1} for n in (1, 2)),
    *({"expected": n, "announced": n} for n in (1, 2)),
    *({"expected": n, "announced": n, "detected": n, "counted": n - 1, "indexed": n + 1} for n in (2, 9)),
    *({"expected": n, "announced": n, "detected": n} for n in (1, 2)),
    *({"expected": n, "announced": n, "detected": n, "counted": n} for n in (1, 2)),
    *({"expected": n, "announced": n, "detected": n, "counted": n + 1, "indexed": n - 1} for n in (1, 2)),
    *({"counted": n, "indexed": n + m} for n, m in ((2, 2), (4, 1), (1, 3))),
]


def test_each_finding_is_in_german_for_a_german_reader(troubled: Troubled) -> None:
    days = [run for run in current_runs(troubled.store) if run.model == MODEL]
    old = [msgspec.structs.replace(run, day=day, settings={}) for run in days for day in ("2024-05-01", "x")]
    findings = [
        *troubled.status().findings,
        *chain.from_iterable(lines_of_a_source(**figures) for figures in SOURCES),
        *to_count_again(days),
        *to_count_again(
            [msgspec.structs.replace(run, day=day) for run in days for day in ("2024-05-01", "2024-05-02")]
        ),
        *of_earlier_rules(old),
        *beyond_store(days, []),
    ]
    assert len({finding.area for finding in findings}) > 8
    texts = {
        text
        for finding in findings
        for text in (finding.value, finding.remedy or finding.note, finding.action)
        if text and text != "not responding"  # a camera's own answer
    }
    assert [text for text in sorted(texts) if problem_text(text, "de") == text] == []
