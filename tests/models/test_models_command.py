"""`frametally models`: a model is listed, tried, used and removed by its name, never replaced blindly."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.capabilities import HERE
from tests.commands import Run, frametally

from frametally.adapters_by_url import open_count_index
from frametally.files.downloads import KnownFile, file_sha256
from frametally.files.opencv import Pixels, cv2
from frametally.settings.loading import load_settings
from frametally_models import choice
from frametally_models.catalogue import CATALOGUE, PRESETS
from frametally_models.choice import shaped_px
from frametally_models.files import ModelFiles


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `frametally models ...` in an empty folder; return code, output, errors."""
    for name in [name for name in os.environ if name.startswith("FRAMETALLY_M") or "INPUT_SIZE" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(choice, "component_folder", lambda name: tmp_path / name)
    monkeypatch.setenv("FRAMETALLY_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)

    return lambda *arguments, command="models": frametally(command, *arguments, code=None)


@pytest.fixture
def models(
    run: Run, model_files: ModelFiles, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder with the default and YOLOX-nano (exported differently from the authors' file)."""
    folder, nano = tmp_path / "models", shared_data / "yolox/yolox_nano.onnx"
    if not nano.is_file():
        pytest.skip(f"there is no {nano}")
    for path in model_files:
        (folder / path.name).symlink_to(path)
    record = CATALOGUE["yolox-nano"]
    weights = KnownFile(
        name="yolox_nano.onnx",
        sha256=file_sha256(nano),
        size_bytes=nano.stat().st_size,
        upstream_urls=("https://x",),
    )
    monkeypatch.setitem(CATALOGUE, "yolox-nano", replace(record, files=(weights, record.files[1])))
    shutil.copyfile(nano, folder / weights.name)
    return folder


@pytest.fixture
def footage(run: Run, clip_frames: dict[int, Pixels], tmp_path: Path) -> Path:
    """A store with six frames of the clip, 854x480, from the source `street`."""
    (tmp_path / "street").mkdir()
    for place, frame in clip_frames.items():
        cv2.imwrite(str(tmp_path / "street" / f"2026-01-01T00-00-{place // 60:02d}.jpg"), frame)
    code, _, err = run(tmp_path / "street", "--source", "street", command="produce")
    assert code == 0, err
    return tmp_path / "data"


def a_line(err: str) -> str:
    (line,) = [line for line in err.splitlines() if line.strip()]
    return line


@pytest.mark.thorough
def test_models_are_listed_with_licence_ap_size_and_speed_on_this_machine(run: Run, models: Path) -> None:
    code, out, _ = run("list", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert list(rows) == [*CATALOGUE, *PRESETS]
    assert [name for name, row in rows.items() if row["in_use"]] == ["yolov4-tiny"]
    assert rows["yolov4-tiny"]["of_present"] == 1
    assert rows["yolox-nano"]["cpu_ms"] > 0
    assert (rows["yolox-nano"]["licence"], rows["yolox-nano"]["ap"]) == ("Apache-2.0", 25.8)
    assert (rows["yolox-s"]["cpu_ms"], rows["yolox-s"]["why_no_speed"]) == (None, "not downloaded")
    code, out, _ = run("list")
    assert code == 0
    assert "yolov4-tiny * " in out
    assert "balanced (yolox-nano)" in out


@pytest.mark.thorough
def test_footage_recounted_with_a_preset_adds_counts_and_the_present_ones_stay_first(
    run: Run, models: Path, footage: Path
) -> None:
    code, _, err = run("count", "fast")
    assert (code, "has not counted anything yet" in err) == (2, True)
    assert run("--until-caught-up", command="consume")[0] == 0
    assert run(command="aggregate")[0] == 0
    assert run(command="index")[0] == 0
    rows = {row["name"]: row for row in json.loads(run("list", "--json")[1])}
    present, other = rows["yolov4-tiny"]["model_id"], rows["fast"]["model_id"]
    fast = rows["fast"]
    assert (fast["input"], fast["is_preset"], fast["cpu_ms"] > 0) == ("544x320", True, True)
    code, out, err = run("count", "fast", "--json")
    assert code == 0, err
    *steps, result = map(json.loads, out.splitlines())
    assert (result["model"], result["other"]) == (present, other)
    assert all(step["total"] == 6 for step in steps)
    cars = next(label for label in result["labels"] if label["label"] == "car")
    assert 0 < cars["now"] < cars["other"]
    with closing(open_count_index(load_settings().index_url)) as index:
        assert [series.model for series in index.series()] == [present, other]
    assert "both counts are kept" in run("count", "fast")[1]
    code, _, err = run("count", "fast", "--from", "2030-01-01")
    assert (code, "no footage between --from and --to" in err) == (2, True)
    code, _, err = run("count", "yolov4-tiny")
    assert (code, "is in use" in a_line(err)) == (2, True)


@pytest.mark.thorough
def test_use_writes_the_model_to_env_where_its_id_and_every_other_command_read_it(
    run: Run, models: Path, footage: Path, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("# ours\nFRAMETALLY_MODEL_CFG=yolox\nFRAMETALLY_TIMEZONE=UTC\n")
    code, out, err = run("use", "balanced")
    assert code == 0, err
    assert (tmp_path / ".env").read_text() == (
        "# ours\nFRAMETALLY_TIMEZONE=UTC\n"
        "FRAMETALLY_MODEL_WEIGHTS=yolox-nano\nFRAMETALLY_INPUT_SIZE_PX=736x416\n"
    )
    assert "model ID: yolox_nano-" in out
    settings = load_settings("consumer")
    assert (str(settings.model_weights), settings.input_px) == ("yolox-nano", (736, 416))
    assert run("use", "yolov4-tiny")[0] == 0
    assert (tmp_path / ".env").read_text() == "# ours\nFRAMETALLY_TIMEZONE=UTC\n"


@pytest.mark.thorough
def test_try_runs_a_model_on_stored_frames_and_stores_nothing(
    run: Run, models: Path, footage: Path, tmp_path: Path
) -> None:
    run("try", "yolov4-tiny")  # the store remembers its detector from then on
    before = {path: path.read_bytes() for path in footage.rglob("*") if path.is_file()}
    sheet = tmp_path / "sheet.html"
    code, out, err = run(
        "try", "yolox-nano", "--size", "auto", "--source", "street", "--frames", 4, "--sheet", sheet
    )
    assert code == 0, err
    assert "car: " in out
    assert "times as many) in 4 frames" in out
    assert "of the present one's" in out
    assert "look at: images/street/" in out
    page = sheet.read_text()
    assert page.count("data:image/jpeg;base64,") == out.count("look at: ")
    assert {path: path.read_bytes() for path in footage.rglob("*") if path.is_file()} == before
    same = run("try", "yolov4-tiny", "--frames", 2)[1]
    assert "1.00 times as many" in same
    assert "look at" not in same


@pytest.mark.thorough
def test_a_model_is_removed_unless_it_is_in_use(run: Run, models: Path) -> None:
    code, out, _ = run("get", "yolox-nano")
    assert code == 0
    assert "licence of the weights: Apache-2.0" in out
    code, out, _ = run("remove", "yolox-nano")
    assert code == 0
    assert not (models / "yolox_nano.onnx").exists()
    assert (models / "coco.names").exists()
    code, _, err = run("remove", "yolox-nano")
    assert (code, "is not in" in a_line(err)) == (2, True)
    code, _, err = run("remove", "yolov4-tiny")
    assert (code, "in use" in a_line(err)) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["get", "yolox-xl"],
            "there is no such model; use yolov4-tiny, yolox-nano, yolox-tiny, yolox-s, fast",
        ),
        (["use", "yolox-nano", "--size", "400x400"], "--size 400x400: each side is a multiple of 32"),
        (["use", "yolox-nano", "--size", "big"], "--size big: write width and height in pixels"),
        (["use", "yolox-nano", "--tiles", "9x9"], "--size 416x416+9x9: write width and height in pixels"),
        (["use", "fast"], "there is no footage yet whose shape the input could have"),
        (["try", "yolox-nano"], "there is no data in"),
        (["remove", "yolox-s"], "yolox-s is not in"),
    ],
)
def test_bad_input_is_one_line_with_the_remedy(run: Run, arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in a_line(err)


def test_without_a_network_get_says_which_file_to_put_where(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = KnownFile(name="n.onnx", sha256="0" * 64, size_bytes=1, upstream_urls=("http://127.0.0.1:1/n",))
    monkeypatch.setitem(CATALOGUE, "yolox-s", replace(CATALOGUE["yolox-s"], files=(nowhere,)))
    code, _, err = run("get", "yolox-s")
    assert code == 2
    assert f"or put the file with sha256 {'0' * 64} at {tmp_path}/models/n.onnx yourself" in a_line(err)


@pytest.mark.thorough
@pytest.mark.parametrize("variable", ["FRAMETALLY_INPUT_SIZE_PX", "frametally_input_size_px"])
def test_a_choice_that_the_environment_would_override_is_refused(
    run: Run, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "608x608")
    code, _, err = run("use", "yolox-nano")
    assert code == 2
    assert "the environment sets FRAMETALLY_INPUT_SIZE_PX=608x608, which wins over .env" in a_line(err)
    assert not (tmp_path / ".env").exists()


def test_the_input_has_the_pictures_shape_and_as_many_pixels() -> None:
    assert shaped_px(416 * 416, (768, 576)) == (480, 352)
    assert shaped_px(416 * 416, (1920, 1080)) == (544, 320)
    assert shaped_px(640 * 480, (640, 480)) == (640, 480)
    assert shaped_px(416 * 416, (480, 864)) == (320, 544)
    assert shaped_px(416 * 416, (10, 1000)) == (32, 4160)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("run", ["street", "--no-serve"]),
        ("produce", ["street"]),
        ("up", ["--port", "0"]),
        *([("work", ["--until-done"])] if "videos" in HERE else []),
        *([("live", ["work"])] if "live" in HERE else []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_model_is_tested_before_the_first_frame_is_stored_and_announced(
    run: Run,
    clip_frames: dict[int, Pixels],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    arguments: list[str],
) -> None:
    (tmp_path / "own.onnx").write_bytes(b"not a network")
    (tmp_path / "own.names").write_text("lorry\n")
    monkeypatch.setenv("FRAMETALLY_MODEL_WEIGHTS", str(tmp_path / "own.onnx"))
    monkeypatch.setenv("FRAMETALLY_MODEL_NAMES", str(tmp_path / "own.names"))
    (tmp_path / "street").mkdir()
    cv2.imwrite(str(tmp_path / "street/2026-01-01T00-00-00.jpg"), clip_frames[0])
    # Without the test, `up` would run until a signal.
    monkeypatch.setattr("frametally_cli.commands.run.Family.run", lambda *_: 0)
    code, out, err = run(*arguments, command=command)
    assert (code, "announced" in out) == (2, False)
    assert "own.onnx is not an ONNX file" in err
    assert not list((tmp_path / "data").rglob("*.jpg"))
