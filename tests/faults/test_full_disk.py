"""On a full disk what reads reads, what frees frees, and every other command prints one clear line."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import click
import pytest
from flask.testing import FlaskClient
from tests.commands import Finished, run_frametally, start_frametally
from tests.examples import some_quick
from tests.faults.conftest import write_pictures
from tests.kit.processes import run_program
from tests.kit.waiting import until

from frametally.openers.look_openers import open_to_look
from frametally.plugins import hooks
from frametally.process.exit_codes import STOPPED
from frametally.settings.loading import load_settings
from frametally.work.family_members import MemberOptions
from frametally_cli.main import COMMANDS, cli
from frametally_web.app import close_app, create_app

ROOT = Path(__file__).resolve().parents[2]
TEMPORARY = Path("/tmp")  # noqa: S108 - the folder that is full in a test

DISK_BYTES = 24_000_000
SETTINGS: dict[str, Any] = {
    "FRAMETALLY_DETECTOR": "pixels",
    "FRAMETALLY_LIVE_ALLOW": "127.0.0.1",
    "FRAMETALLY_WEB_PORT": "0",
}
DAY = ("--from", "2026-05-01", "--to", "2026-05-02")
NAMED = ("--time-pattern", "cam_%Y%m%d_%H%M%S", "--timezone", "UTC")
NOT_HERE = {
    "cloud-setup": "writes into the current folder",
    "demo": "downloads a clip",
    "download-models": "downloads a model",
    "live discover": "asks the network",
    "media pictures": "writes nothing in a data folder",
    "models get": "downloads a model",
    "service install": "changes the machine",
    "service remove": "changes the machine",
    "service status": "asks the machine",
}
"""Commands that this campaign does not run, and the reason."""
UNTIL_STOPPED = {"consume", "live work", "produce", "run", "serve", "up", "work"}
"""Commands that run until a signal, or that wait for space on a full disk: no frame is lost."""
ARGUMENTS = {
    "alerts add": (
        "many",
        "count",
        "--label",
        "red",
        "--above",
        "1",
        "--period",
        "1h",
        "mailto:a@example.org",
    ),
    "alerts mute": ("many",),
    "alerts remove": ("many",),
    "api change-footage": ("--what", "forget", "--source", "gate", "--delete-images", "true"),
    "audit export": ("--output", "{out}"),
    "consume": ("--until-caught-up",),
    "dead-letters drop": ("--all", "--yes"),
    "dead-letters replay": ("--all",),
    "explain": ("--source", "gate", "--label", "red", "--interval-start", "2026-05-01T00:00:00Z"),
    "export": ("--output", "{out}"),
    "forget": ("--source", "gate", "--delete-images", "--yes"),
    "history": ("--from", "2026-05-01T00:00:00Z"),
    "live add": ("http://127.0.0.1:1/v.mjpg", "--source", "yard"),
    "live remove": ("door",),
    "live start": ("door",),
    "live stop": ("door",),
    "privacy erase": ("--source", "gate", *DAY, "--yes"),
    "privacy erase --dry-run": ("--source", "gate", *DAY, "--dry-run"),
    "privacy remove": ("--source", "gate"),
    "privacy set": ("--blur", "--yes"),
    "produce": ("{pictures}", "--source", "gate", *NAMED),
    "rename-source": ("gate", "door", "--yes"),
    "report traffic": ("gate", *DAY, "--output", "{out}"),
    "retention apply --dry-run": ("--dry-run",),
    "retention set": ("frames", "--after", "1h"),
    "retention hold": ("case", "--source", "gate"),
    "retime": ("--source", "gate", "--start-time", "2026-05-01T09:00:00Z", "--yes"),
    "run": ("{pictures}", "--source", "gate", "--no-serve", *NAMED),
    "set-timezone": ("gate", "Europe/Berlin"),
    "tokens add": ("root", "bot"),
    "upgrade --dry-run": ("--dry-run",),
    "upload": ("{clip}", "--source", "gate"),
    "work": ("--until-done",),
}
"""Arguments of commands in which made-up ones would not do; the forms with an option are further cases."""
READS = [
    *("accuracy list", "alerts list", "alerts log", "api sources", "audit list", "audit verify"),
    *("dead-letters list", "explain", "export", "history", "lines export", "lines list", "live list"),
    *("privacy erase --dry-run", "privacy report", "privacy show", "quality", "report list"),
    *("retention apply --dry-run", "retention show", "status", "tokens list", "upgrade --dry-run"),
    "users list",
]
FREES = [
    *("api change-footage", "forget", "live remove", "live stop", "log trim", "privacy erase"),
    *("retention apply", "retention set"),
]


def all_commands() -> list[str]:
    """Return every command, groups' commands with the group's name, and the further cases."""
    context = click.Context(cli)

    def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
        if not isinstance(command, click.Group):
            yield " ".join(path)
            return
        # The actions of the API have the dashboard's handlers; one that reads and one that frees are cases.
        names = command.list_commands(context) if command.name != "api" else ["sources", "change-footage"]
        for name in names:
            part = command.get_command(context, name)
            assert part is not None
            yield from walk(part, (*path, name))

    commands = list(walk(cli, ()))
    cases = [case for case in ARGUMENTS if case.partition(" --")[0] in commands]
    return sorted({*commands, *cases} - NOT_HERE.keys())


HERE = all_commands()
OTHERS = sorted({*HERE} - {*READS, *FREES, "doctor"})
"""Commands of which the campaign does not know whether they read, write or free."""
FREE_BYTES = (0, 32_768)


def made_up(command: str) -> list[str]:
    """Return a value for each argument and required option of a command."""
    context, part = click.Context(cli), cast("click.Command", cli)
    for name in command.split():
        assert isinstance(part, click.Group)
        step = part.get_command(context, name)
        assert step is not None
        part = step
    values = []
    for parameter in part.params:
        if parameter.required or isinstance(parameter, click.Argument):
            kind = parameter.type
            value = kind.choices[0] if isinstance(kind, click.Choice) else "gate"
            values += [value] if isinstance(parameter, click.Argument) else [parameter.opts[0], value]
    return [*map(str, values)]


class Disk(NamedTuple):
    """A small file system with a data folder."""

    folder: Path
    data: Path

    def fill(self, free_bytes: int) -> None:
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file:
            size = 0
            try:
                while True:
                    size += file.write(bytes(4096))
            except OSError:
                file.truncate(size - free_bytes)

    def pictures(self) -> int:
        return sum(1 for _ in (self.data / "store" / "images").rglob("*.jpg"))

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free


@contextmanager
def disk_with(data: Path) -> Iterator[Disk]:
    with tempfile.TemporaryDirectory() as above:
        folder = Path(above, "disk")
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("this user may not mount a file system")
        try:
            shutil.copytree(data, folder / "data", copy_function=shutil.copy2)
            yield Disk(folder, folder / "data")
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)


class Made(NamedTuple):
    """A data folder with counts, a camera, rules and accounts, and further footage."""

    data: Path
    pictures: Path
    clip: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    data, early, late = folder / "data", folder / "early", folder / "late"
    write_pictures(early, range(40))
    write_pictures(late, range(2000, 2020))
    for command in (
        ["run", early, "--source", "gate", "--no-serve", "--interval", 60, *NAMED],
        ["produce", late, "--source", "gate", *NAMED],
        ["live", "add", "http://127.0.0.1:1/v.mjpg", "--source", "door"],
        ["live", "stop", "door"],
        ["users", "add", "root", "--role", "run"],
        ["retention", "set", "frames", "--most", "0.01MB"],
    ):
        done = run_frametally(*command, "--data-dir", data, cwd=folder, **SETTINGS)
        assert done.code in (0, 6), (command, done)  # 6: no camera is there
    (folder / "clip.mp4").write_bytes(bytes(2000))
    return Made(data, late, folder / "clip.mp4")


def run(command: str, made: Made, data: Path, work: Path) -> Finished:
    """Run a command of the campaign on a data folder, from another folder."""
    words = command.partition(" --")[0]
    places = {"pictures": made.pictures, "clip": made.clip, "out": work / "out.csv"}
    given = [part.format(**places) for part in ARGUMENTS.get(command, made_up(words))]
    where = [] if words in ("lines schema", "mcp") else ["--data-dir", str(data)]
    if words not in UNTIL_STOPPED:
        return run_frametally(*words.split(), *given, *where, cwd=work, timeout_s=90, **SETTINGS)
    output = work / "output"
    output.mkdir(exist_ok=True)
    process = start_frametally(
        *words.split(), *given, *where, cwd=work, output=output, constants={}, **SETTINGS
    )
    for _ in range(80):  # until it says that it waits, or goes on
        process.join(0.1)
        if process.exitcode is not None or (
            (output / "err").exists() and "space" in (output / "err").read_text()
        ):
            break
    if process.exitcode is None:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode is not None, f"{command} does not end"
    return Finished(process.exitcode, *((output / name).read_text() for name in ("out", "err")))


def said(text: str, disk: Path) -> list[str]:
    """Return the lines of an output without places and times of this run."""
    text = re.sub(re.escape(str(disk)), "DISK", text)
    text = re.sub(r"\d+ (s|min) old|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME", text)
    return [line.rstrip() for line in text.splitlines() if "disk of DISK" not in line and "full" not in line]


@pytest.mark.parametrize("free_bytes", FREE_BYTES)
@pytest.mark.parametrize("command", some_quick(OTHERS, ("aggregate",)))
def test_a_command_on_a_full_disk_works_or_reports_that_there_is_no_space(
    made: Made, tmp_path: Path, command: str, free_bytes: int
) -> None:
    with disk_with(made.data) as disk:
        disk.fill(free_bytes)
        done = run(command, made, disk.data, tmp_path)
    assert "Traceback" not in done.out + done.err
    # On a busy machine the signal can come before the command handles it.
    ended = {STOPPED, 128 + signal.SIGTERM, -signal.SIGTERM} if command in UNTIL_STOPPED else set()
    assert done.code in {0, 2, 3, 4, 5, 6, *ended}, (done.code, done.err)
    # `up` prints what ended its members, a line each.
    errors = re.findall(r"^(?:.* ERROR .*\| )?(error: .*)", f"{done.err}\n{done.out}", re.MULTILINE)
    assert bool(errors) == (done.code == 2), done.err
    assert len(errors) <= 1 or command == "up", errors
    if done.code != 2:
        return
    with disk_with(made.data) as disk:
        if run(command, made, disk.data, tmp_path).code != 2:
            assert re.search("no space|No space|disk", errors[0]), errors
            assert "free some space" in errors[0]


@pytest.mark.parametrize("command", some_quick(READS, ("status",)))
def test_a_command_that_only_reads_prints_the_same_on_a_full_disk(
    made: Made, tmp_path: Path, command: str
) -> None:
    results = []
    for free_bytes in (None, *FREE_BYTES):
        with disk_with(made.data) as disk:
            if free_bytes is not None:
                disk.fill(free_bytes)
            done = run(command, made, disk.data, tmp_path)
            printed = said(done.out, disk.folder), said(done.err, disk.folder)
        out = tmp_path / "out.csv"
        results.append((done.code, printed, out.read_bytes() if out.exists() else b""))
        out.unlink(missing_ok=True)
    ample, *full = results
    assert ample[0] != 2, ample
    assert full == [ample] * len(FREE_BYTES)


@pytest.mark.parametrize("free_bytes", FREE_BYTES)
@pytest.mark.parametrize("command", some_quick(FREES, ("retention apply",)))
def test_a_command_that_frees_space_works_on_a_full_disk_and_leaves_a_reserve_for_the_next(
    made: Made, tmp_path: Path, command: str, free_bytes: int
) -> None:
    with disk_with(made.data) as disk:
        reserve = disk.data / "reserve"
        size = reserve.stat().st_size
        disk.fill(free_bytes)
        done = run(command, made, disk.data, tmp_path)
        assert done.code == 0, done.err
        assert reserve.stat().st_size > size - 500_000
        if command in ("forget", "privacy erase", "retention apply"):
            assert disk.pictures() == (20 if command == "retention apply" else 0)
            assert disk.free_bytes() > free_bytes


@contextmanager
def asking(data: Path, token: str) -> Iterator[FlaskClient]:
    """Serve the dashboard of a data folder, without listening."""
    settings = load_settings("web", data_dir=data)
    with open_to_look(settings) as (ports, ledger), ExitStack() as plugins:
        parts: dict[str, Any] = {}
        for serving in hooks("serving"):
            parts |= plugins.enter_context(serving(ports, MemberOptions(alone=True)))
        parts |= {"store": ports.store, "index": ports.index, "ledger": ledger, "log": ports.log}
        app = create_app(settings=settings, **parts)
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        yield client
        close_app(app)


def test_the_dashboard_frees_a_full_disk_like_the_commands(made: Made) -> None:
    with disk_with(made.data) as disk:
        adding = "tokens", "add", "root", "page", "--data-dir", disk.data
        token = run_frametally(*adding, cwd=disk.folder, **SETTINGS).out.splitlines()[1]
        disk.fill(0)
        reserve = disk.data / "reserve"
        size = reserve.stat().st_size
        with asking(disk.data, token) as ask:
            assert ask.post("/api/v1/timezones/changes", json={}).status_code == 503
            rule = {"kind": "frames", "never": True}
            assert ask.post("/api/v1/retention/rules", json=rule).status_code == 200
            assert reserve.stat().st_size > size - 500_000
            forgetting = {"what": "forget", "source": "gate", "delete_images": True}
            answer = ask.post("/api/v1/footage/changes", json=forgetting)
            assert answer.status_code == 202, answer.text
            until(lambda: ask.get("/api/v1/changes").json["last"]["state"] != "running", "it is forgotten")
            assert ask.get("/api/v1/changes").json["last"]["state"] == "done"
        assert disk.pictures() == 0
        assert reserve.stat().st_size == size


@pytest.mark.thorough
def test_doctor_reads_everything_on_a_full_disk_and_names_the_disk(made: Made, tmp_path: Path) -> None:
    with disk_with(made.data) as disk:
        disk.fill(0)
        where = ["--data-dir", disk.data]
        done = run_frametally("doctor", "--deep", "--json", *where, cwd=tmp_path, **SETTINGS)
    rows = json.loads(done.out)["rows"]
    assert done.code == 2
    assert {"segments", "runs", "ledger", "records"} <= {row["area"] for row in rows if row["good"]}
    assert {row["area"] for row in rows if not row["good"]} - {"model"} == {"store", "log", "disk"}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "command", ["status", "export --format xlsx --output /dev/null", "upgrade --dry-run"]
)
def test_reading_works_while_every_temporary_folder_is_full(made: Made, command: str) -> None:
    # The checkout may be below /tmp itself.
    script = (
        'mount --bind "$3" /mnt && mount --bind "$1" /tmp && mount --bind /mnt "$3" && '
        f'mount --bind /tmp /var/tmp && cd /tmp && exec "$2" -m frametally {command} --data-dir /tmp/data'
    )
    with disk_with(made.data) as disk:
        if ROOT.is_relative_to(TEMPORARY):
            (disk.folder / ROOT.relative_to(TEMPORARY)).mkdir(parents=True)
        disk.fill(0)
        done = run_program(
            ["unshare", "--mount", "sh", "-c", script, "sh", str(disk.folder), sys.executable, str(ROOT)],
            code=None,
            env={name: value for name, value in os.environ.items() if name not in ("TMPDIR", "TEMP", "TMP")},
        )
    assert done.returncode in (0, 4), done.stderr
    assert "error:" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_campaign_runs_every_command_or_gives_a_reason(command: str) -> None:
    assert any(f"{case} ".startswith(f"{command} ") for case in (*HERE, *NOT_HERE))
