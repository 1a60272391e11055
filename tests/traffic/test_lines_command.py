"""`frametally lines`: drawings are shown, exported and removed; bad input changes nothing."""

from __future__ import annotations

import errno
import json
import os
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.records import MEDIUM, make_manifest
from tests.kit.clips import grey_jpeg

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.media import corrections, mending
from frametally.ports.object_store import ObjectStore
from frametally.records import encode
from frametally.settings.loading import load_settings
from frametally_cli import main as cli

START_MS = 1_767_225_600_000
STOP = {"name": "stop", "width_px": 64, "height_px": 48, "points": [[1, 2], [60, 40]]}
BAY = {"name": "bay", "width_px": 64, "height_px": 48, "points": [[1, 2], [60, 40], [5, 40]]}


def put_footage(store: ObjectStore, source: str, media: str, width_px: int, height_px: int) -> None:
    manifest = make_manifest(
        1, media=media, source=source, announced_frames=b"\x01", span_ms=(START_MS, START_MS + 5000)
    )
    store.put(manifest.key, encode(manifest))
    picture = grey_jpeg(width_px, height_px, 0)
    store.put(keys.image_key(source, START_MS, media, 0), picture)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three sources of three sizes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path / "data"))
    settings = load_settings()
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        put_footage(store, "gate-1", MEDIUM, 64, 48)
        put_footage(store, "yard", "cd" * 32, 160, 90)
        put_footage(store, "road", "ef" * 32, 1920, 1080)


def drawn() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("data/store/drawings").rglob("*.json")}


def file_of(form: Any, name: str = "drawing.json") -> str:
    Path(name).write_text(form if isinstance(form, str) else json.dumps(form), encoding="utf-8")
    return name


def lines(*arguments: str) -> int:
    return cli.main(["lines", *arguments])


def test_an_imported_drawing_is_listed_and_exported_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines("import", "Gate 1", file_of({"lines": [STOP], "zones": [BAY]})) == 0
    said = capsys.readouterr().out
    assert said == f"2 drawn; revision 1 of gate-1 has 2 in total; {mending.NEXT}\n"
    assert lines("list") == 0
    shown = capsys.readouterr().out
    for words in ("2 points", "forward", "backward"):
        assert words in shown  # on a narrow terminal, over several lines
    assert "3 corners" in shown
    assert lines("export", "gate-1", "--output", "out.json") == 0
    assert lines("import", "gate-1", "out.json") == 0
    assert capsys.readouterr().out == "2 drawn; revision 1 of gate-1 has 2 in total\n"
    assert list(drawn()) == ["000001.json"]
    assert lines("export", "gate-1") == 0
    assert capsys.readouterr().out == Path("out.json").read_text(encoding="utf-8")
    assert lines("list", "gate-1", "--json") == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["source"], listed["revision"]) == ("gate-1", 1)


def test_an_import_names_the_missing_argument_and_why_its_file_cannot_be_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> str:
        assert lines("import", *arguments) == 2
        return capsys.readouterr().err

    def may_not_open(path: Path, *how: Any, **named: Any) -> Any:
        if str(path) == file:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), file)
        return open_path(path, *how, **named)

    open_path = Path.open
    file = file_of({"lines": [STOP]})
    assert "Missing argument 'SOURCE' (" in said(file)
    assert "Missing argument 'FILE' (" in said("gate-1")
    assert "no.json cannot be read (No such file or directory); choose" in said("gate-1", "no.json")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(Path, "open", may_not_open)
    assert "drawing.json cannot be read (Permission denied); choose" in said("gate-1", file)


def test_forms_of_the_earlier_api_use_the_size_of_the_sources_pictures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lines("import", "gate-1", file_of({"x": 0, "y": 0, "width": 64, "height": 48})) == 0
    assert lines("import", "gate-1", file_of({"points": [[0, 0], [10, 10]]}), "--name", "ground") == 0
    lack = "calibration ground: 2 points (at least 4 are needed), none with coordinates in metres: no speeds"
    assert lack in capsys.readouterr().out
    assert lines("list", "--json") == 0
    [listed] = json.loads(capsys.readouterr().out)
    [zone], [calibration] = listed["zones"], listed["calibrations"]
    assert (zone["name"], zone["width_px"], zone["height_px"]) == ("ROI", 64, 48)
    assert (calibration["name"], calibration["width_px"], calibration["height_px"]) == ("ground", 64, 48)


def test_a_moved_camera_gets_its_line_in_the_new_place_from_then_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    moved = {**STOP, "points": [[5, 5], [50, 9]], "from_ms": START_MS}
    assert lines("import", "gate-1", file_of({"lines": [STOP]})) == 0
    assert lines("import", "gate-1", file_of({"lines": [moved]}, "moved.json")) == 5
    assert "line 'stop' exists twice at the same time" in capsys.readouterr().err
    assert lines("remove", "gate-1", "stop", "--from", "2026-01-01T00:00:00Z") == 0
    ended = "1 ended at 2026-01-01 00:00:00Z; revision 2 of gate-1 has 1 in total; "
    assert capsys.readouterr().out.endswith(ended + f"{mending.NEXT}\n")
    assert lines("import", "gate-1", "moved.json") == 0
    capsys.readouterr()
    assert lines("list", "--json") == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert [(one["points"][0], one["from_ms"], one["to_ms"]) for one in listed["lines"]] == [
        ([1.0, 2.0], None, START_MS),
        ([5.0, 5.0], START_MS, None),
    ]


def test_a_corrected_line_replaces_the_wrong_one(capsys: pytest.CaptureFixture[str]) -> None:
    better = {**STOP, "points": [[5, 5], [50, 9]]}
    assert lines("import", "gate-1", file_of({"lines": [STOP]})) == 0
    assert lines("import", "gate-1", file_of({"lines": [better]}), "--replace") == 0
    assert "1 drawn; revision 2 of gate-1 has 1 in total" in capsys.readouterr().out
    assert lines("remove", "gate-1", "stop") == 0
    assert lines("list") == 0
    said = capsys.readouterr().out
    assert said.startswith("1 deleted; revision 3 of gate-1 has 0 in total; ")
    assert "nothing drawn yet" in said
    assert sorted(drawn()) == ["000001.json", "000002.json", "000003.json"]


BAD: dict[str, tuple[list[str], Any, str]] = {
    "another source's size": (
        ["gate-1"],
        {"lines": [{**STOP, "width_px": 160, "height_px": 90}]},
        "line 'stop' was drawn over a picture of 160x90 pixels, but pictures of this source have 64x48",
    ),
    "another source's size, from a time on of which there is no footage yet": (
        ["gate-1"],
        {"lines": [{**STOP, "width_px": 160, "height_px": 90, "from_ms": START_MS + 10**10}]},
        "line 'stop' was drawn over a picture of 160x90 pixels, but pictures of this source have 64x48",
    ),
    "outside the picture": (
        ["gate-1"],
        {"x": 1, "y": 0, "width": 64, "height": 48},
        "zone 'ROI' has the point (65, 0) outside the picture of 64x48 pixels",
    ),
    "of another source": (
        ["gate-1"],
        {"source": "yard", "lines": [STOP]},
        "drawing.json belongs to source 'yard', not to gate-1",
    ),
    "a source that is misspelt": (
        ["gat-1"],
        {"lines": [STOP]},
        "there is no source named 'gat-1'; did you mean gate-1?",
    ),
    "a source like none": (
        ["北門"],
        {"lines": [STOP]},
        "there is no source named '北門'; choose from: gate-1, road, yard",
    ),
    "a hostile source": (["\x1b[2J"], {"lines": [STOP]}, "there is no source"),
    "two with one name": (["gate-1"], {"lines": [STOP], "zones": [{**BAY, "name": "stop"}]}, "exists twice"),
    "NaN": (["gate-1"], '{"x": NaN}', "drawing.json contains NaN, which JSON does not allow"),
    "10 MB": (["gate-1"], '{"lines": "' + "x" * 10_000_000 + '"}', "drawing.json is larger than 1 MB"),
    "a hostile name": (
        ["gate-1"],
        {"lines": [{**STOP, "name": "\x1b]0;a\x07"}]},
        "contains U+0007, U+001B: use letters",
    ),
    "a calibration in a line": (
        ["gate-1"],
        {
            "calibrations": [
                {
                    "name": "ground",
                    "width_px": 64,
                    "height_px": 48,
                    "points": [[0, 0], [9, 9], [20, 20], [30, 30]],
                    "metres": [[0, 0], [1, 1], [2, 2], [5, 1]],
                }
            ]
        },
        "calibration 'ground': points 2, 3 and 4 are on the same straight line in the picture",
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("options", "form", "why"), BAD.values(), ids=BAD)
def test_bad_input_gives_one_line_and_its_own_exit_code_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], options: list[str], form: Any, why: str
) -> None:
    assert lines("import", "gate-1", file_of({"zones": [{**BAY, "name": "kept"}]}, "kept.json")) == 0
    before = drawn()
    capsys.readouterr()
    assert lines("import", *options, file_of(form)) == 5
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.rstrip("\n").isprintable()
    assert why in told.err
    assert drawn() == before


def test_an_unknown_shape_cannot_be_removed_and_nothing_else_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines("import", "gate-1", file_of({"lines": [STOP], "zones": [BAY]})) == 0
    before = drawn()
    assert lines("remove", "gate-1", "bay", "stopp") == 5
    assert "gate-1 has nothing named 'stopp'; choose from: 'stop'" in capsys.readouterr().err
    assert drawn() == before


def test_a_damaged_drawing_of_another_source_blocks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines("import", "yard", file_of({"x": 1, "y": 1, "width": 9, "height": 9})) == 0
    path = Path("data/store/drawings/yard/000001.json")
    path.write_bytes(path.read_bytes().replace(b"ROI", b"ROJ"))
    assert lines("import", "gate-1", file_of({"lines": [STOP]})) == 0
    assert lines("export", "gate-1") == 0
    capsys.readouterr()
    for command in (["list"], ["export", "yard"], ["remove", "yard", "ROJ"]):
        assert lines(*command) == 2
        assert "drawings/yard/000001.json: not a Drawing: damaged" in capsys.readouterr().err


def test_the_examples_of_the_documentation_can_be_imported() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/lines.md").read_text(encoding="utf-8")
    examples = re.findall(r"`(\{.+\})`", page)
    assert len(examples) == 3
    for example in examples:
        assert lines("import", "road", file_of(example), "--replace") == 0


def test_invalid_options_give_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    file = file_of({"points": [[0, 0]]})
    assert lines("import", "gate-1", file, "--size", "64*48") == 2
    assert "--size '64*48' is not a size; write it as 1920x1080" in capsys.readouterr().err
    assert lines("import", "gate-1", file, "--from", "noon") == 2
    assert "--from 'noon' is not an ISO 8601 time" in capsys.readouterr().err
    assert lines("import", "gate-1", "missing.json") == 2
    assert drawn() == {}


def test_the_printed_schema_is_the_published_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines("schema") == 0
    published = Path(__file__).resolve().parents[2] / "docs/drawing.schema.json"
    assert capsys.readouterr().out == published.read_text(encoding="utf-8"), (
        "run: frametally lines schema > docs/drawing.schema.json"
    )


def test_a_renamed_source_takes_its_drawing_along_unless_the_new_name_has_other_pictures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop_of(source: str) -> bytes:
        capsys.readouterr()
        assert lines("export", source) == 0
        return capsys.readouterr().out.encode().replace(source.encode(), b"SOURCE")

    assert lines("import", "gate-1", file_of({"lines": [STOP]})) == 0
    before = stop_of("gate-1")
    cli.main(["rename-source", "gate-1", "Gate 2"])
    assert "copied from gate-1 to gate-2: 1 lines, zones, calibrations" in capsys.readouterr().out
    assert stop_of("gate-2") == before
    assert lines("remove", "gate-1", "stop") == 0  # only the old name's drawings go with it
    assert stop_of("gate-2") == before

    assert lines("import", "gate-2", file_of({"zones": [{**BAY, "name": "kept"}]})) == 0
    capsys.readouterr()
    cli.main(["rename-source", "gate-2", "yard"])
    assert (
        "the drawing of gate-2 was not copied to yard, which has its own pictures" in capsys.readouterr().out
    )
    assert json.loads(stop_of("yard"))["lines"] == []


def test_a_rename_lists_what_still_uses_the_old_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (
        ["users", "add", "anna", "--source", "gate-1", "--source", "yard"],
        ["users", "add", "ben"],
        ["tokens", "add", "ben", "nightly", "--source", "gate-1"],
        ["report", "add", "weekly", "--every", "monday", "--at", "06:00", "--source", "gate-1"],
        ["report", "add", "daily", "--every", "day", "--at", "06:00", "--source", "road"],
    ):
        assert cli.main(command) == 0
    capsys.readouterr()
    cli.main(["rename-source", "gate-1", "Gate 9"])
    [line] = [one for one in capsys.readouterr().out.splitlines() if one.startswith("these still")]
    assert line == (
        "these still name gate-1, which no longer has footage: account anna, token nightly of ben, "
        "report weekly; "
        "delete each one, and add it again with `--source gate-9`"
    )
    cli.main(["rename-source", "road", "Gate 8"])
    assert (
        "these still name road, which no longer has footage: report daily; delete" in capsys.readouterr().out
    )
    cli.main(["rename-source", "gate-9", "Gate 7"])
    assert "still of" not in capsys.readouterr().out


def test_an_interrupted_rename_takes_the_drawing_along_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lines("import", "gate-1", file_of({"lines": [STOP]})) == 0

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(corrections, "rename_source", killed)
        cli.main(["rename-source", "gate-1", "Gate 2"])
    cli.main(["rename-source", "gate-1", "Gate 2"])
    capsys.readouterr()
    assert lines("list", "gate-2", "--json") == 0
    [drawing] = json.loads(capsys.readouterr().out)
    assert (drawing["revision"], [line["name"] for line in drawing["lines"]]) == (1, ["stop"])


def test_importing_a_line_along_the_border_gives_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    size = {"width_px": 160, "height_px": 90}
    edge = {"name": "edge", **size, "points": [[5, 10], [5, 80]]}
    middle = {"name": "middle", **size, "points": [[40, 10], [5, 80]]}
    assert cli.main(["lines", "import", "yard", file_of({"lines": [edge, middle]})]) == 0
    said = capsys.readouterr().out
    assert "line edge: it runs along the picture's border" in said
    assert "line middle" not in said
