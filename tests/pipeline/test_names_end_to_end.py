"""Names that are not UTF-8, or contain terminal commands: counted, shown escaped, and accepted again."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from tests.commands import CommandLine
from tests.kit.clips import jpeg_of
from tests.pipeline.test_undo_end_to_end import ENV, make_video, picture

START = ("--start-time", "2026-03-04T10:00:00Z")
LATIN, SHOWN = os.fsdecode(b"caf\xe9"), r"caf\xe9"
UNRULY, UNRULY_SHOWN = "a\nb\x1b[31m\u202ec", r"a\nb\x1b[31m\u202ec"


class Shell:
    """The command line, in this process; its output has to be UTF-8."""

    def __init__(self, folder: Path) -> None:
        self._frametally = CommandLine(folder)
        self.folder = folder

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = self._frametally(*arguments, code=code)
        assert not {"\x1b", "\u202e"} & set(done.out + done.err)
        return done.out + done.err


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    return Shell(tmp_path)


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "shown"), [(LATIN, SHOWN), (UNRULY, UNRULY_SHOWN)])
@pytest.mark.parametrize("kind", ["video", "picture", "folder", "in a folder", "symlink"])
def test_a_file_of_any_name_is_counted_shown_and_forgotten(
    shell: Shell, kind: str, name: str, shown: str
) -> None:
    folder = shell.folder
    match kind:
        case "video":
            make_video(folder / "plain.mp4", 5)
            given = f"{name}.mp4"
            (folder / "plain.mp4").rename(folder / given)
        case "picture":
            given = f"{name}.jpg"
            (folder / given).write_bytes(jpeg_of(picture(1)))
        case "symlink":
            make_video(folder / "plain.mp4", 5)
            given = f"{name}.mp4"
            (folder / given).symlink_to(folder / "plain.mp4")
        case _:
            make_video(folder / "plain.mp4", 5)
            given = name if kind == "folder" else "outer"
            (folder / given).mkdir()
            (folder / "plain.mp4").rename(folder / given / f"{name}.mp4")
            (folder / given / f"{name}.jpg").write_bytes(jpeg_of(picture(1)))
    shell("run", "--no-serve", given)
    said = shell("status")
    assert "settled" in said
    assert (shown if kind != "in a folder" else "outer") in said
    as_shown = os.fsencode(given).decode(errors="backslashreplace")
    for how in (given, as_shown):
        refused = shell("forget", how, code=2)  # no terminal to answer
        assert (shown if kind != "in a folder" else "outer") in refused
    assert "forgotten" in shell("forget", as_shown, "--yes")


@pytest.mark.parametrize("source", [LATIN, UNRULY])
def test_a_source_of_any_name_is_one_source_however_it_is_given(shell: Shell, source: str) -> None:
    make_video(shell.folder / "a.mp4", 5)
    shell("run", "--no-serve", "a.mp4", "--source", source, *START)
    bar = ("--label", "white", "--interval-start", "2026-03-04T10:00:00Z", "--interval", "1")
    for how in (source, os.fsencode(source).decode(errors="backslashreplace")):
        assert "the bar shows the same" in shell("explain", "--source", how, *bar)
    shell("rename-source", source, f"{source} 2")
    assert "forgotten: 1 media" in shell("forget", "--source", f"{source} 2", "--yes")


def test_a_bad_file_of_such_a_name_is_one_line_and_the_others_go_on(shell: Shell) -> None:
    make_video(shell.folder / "a.mp4", 5)
    (shell.folder / f"{LATIN}.mp4").write_bytes(b"no video")
    said = shell("run", "--no-serve", ".", code=6)
    assert f"{SHOWN}.mp4" in said
