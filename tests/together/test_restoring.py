"""Lost parts of a data folder are restored: from the store by the usual commands, the rest by a backup."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from tests.accounts.people import PASSWORD, asking_as
from tests.commands import said
from tests.fakes.records import make_manifest, make_segment
from tests.web.conftest import Place, Serving
from tests.web.counted_footage import MODEL, make_lines

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.records import encode
from frametally_accounts.book import AccessBook
from frametally_accounts.credentials import hash_password
from frametally_accounts.rights import UserAccount
from frametally_live.book import LiveBook
from frametally_live.feed_records import Feed

pytestmark = pytest.mark.thorough

STOP = {"name": "stop", "width_px": 640, "height_px": 480, "points": [[1, 2], [600, 400]]}
EXPORTS = (
    ("csv",),
    ("json",),
    ("parquet",),
    ("xlsx",),
    ("csv", "--by-source"),
    ("csv", "--label", "car", "--timezone", "Asia/Kolkata"),
    ("json", "--compare", "source:yard", "--source", "gate"),
)


def put_footage(data_dir: Path) -> None:
    lines = [*make_lines("gate", frames=60), *make_lines("yard", frames=60, seed=2)]
    segment = make_segment(lines, model=MODEL, log_id="log")
    with closing(open_object_store((data_dir / "store").as_uri())) as store:
        store.put(keys.segment_key(MODEL, "log", "frames", 0, 0), segment)
        for source in ("gate", "yard"):
            of_source = [line for line in lines if line.source == source]
            manifest = make_manifest(
                len(of_source),
                media=of_source[0].media,
                source=source,
                span_ms=(of_source[0].captured_at_ms, of_source[-1].captured_at_ms),
            )
            store.put(manifest.key, encode(manifest))


def test_a_folder_with_wiped_databases_is_restored_completely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serving: Serving
) -> None:
    data_dir = tmp_path / "data"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(data_dir))
    monkeypatch.setenv("FRAMETALLY_ALERT_CHANNELS", json.dumps({"ops": "https://example.org/hook"}))
    monkeypatch.setenv("FRAMETALLY_BACKUP_KEY", "k" * 32)
    url = f"sqlite:///{data_dir / 'catalogue.sqlite'}"

    def kept() -> dict[str, object]:
        with closing(LiveBook(url)) as feeds:
            told: dict[str, object] = {"cameras": feeds.feeds("camera")}
        for command in ("users", "tokens", "alerts", "report"):
            told[command] = said(command, "list")
        told["lines"] = said("lines", "export", "gate")
        for number, options in enumerate(EXPORTS):
            name = tmp_path / f"export-{number}"
            said("export", "--interval", "60", "--format", *options, "--output", str(name))
            told[f"export {options}"] = name.read_bytes()
        return told

    put_footage(data_dir)
    said("aggregate", "--interval", "60")
    said("index")
    with closing(AccessBook(url)) as book:
        book.add_account(UserAccount("anna", "run"))
        book.set_password("anna", hash_password(PASSWORD))
        signing_key = book.signing_key()
    token = said("tokens", "add", "anna", "nightly").splitlines()[1]
    said("users", "add", "ben", "--source", "gate")
    busy = ("--what", "count", "--at-least", "3", "--interval", "1m", "--channel", "ops")
    said("alerts", "add", "busy", *busy)
    said("report", "add", "daily", "--every", "day", "--at", "06:00", "--zone", "UTC")
    Path("stop.json").write_text(json.dumps({"lines": [STOP]}))
    said("lines", "import", "gate", "stop.json")
    with closing(LiveBook(url)) as feeds:
        assert feeds.put_camera(Feed("c1", "camera", "gate", "Gate", address="rtsp://10.0.0.1/x"))
    before, audit = kept(), said("audit", "export")
    assert len({value for name, value in before.items() if name.startswith("export")}) == len(EXPORTS)

    assert "accounts: 2, alert rules: 1, tokens: 1" in said("backup")
    for path in data_dir.iterdir():
        if path.name != "store":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    said("restore")
    said("index")
    said("catalogue", "rebuild")

    assert kept() == before
    restored = said("audit", "export")
    assert restored.startswith(audit)
    added = [json.loads(line) for line in restored[len(audit) :].splitlines()]
    assert [one["what"] for one in added] == ["restore", "restore", "catalogue rebuild", "catalogue rebuild"]
    assert re.match(r"\d+ records, all as they were written", said("audit", "verify"))
    with closing(Place(data_dir)) as place, closing(AccessBook(url)) as place.access:
        assert place.access.signing_key() == signing_key
        address = serving(place.app())
        with asking_as(address, "anna") as ask:
            assert ask("GET", "/api/models").status == 200
        with asking_as(address, "") as ask:
            assert ask("GET", "/api/models").status == 401
            assert ask("GET", "/api/models", Authorization=f"Bearer {token}").status == 200
