"""The starter of the real servers for tests: it ends only its processes, and reports why one failed."""

import dataclasses
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import needs
from serving.downloads import maven_file
from serving.needs import server
from serving.place import Place
from serving.processes import ServerFailed
from serving.state import State

from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr
from frametally.settings.loading import Settings

IN_NAMESPACE = Path(__file__).parents[1] / "servers" / "in_namespace.py"
SLEEPER = [sys.executable, "-c", "import time; print('I am up', flush=True); time.sleep(600)"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place("sleeper", tmp_path / "sleeper", cache=tmp_path / "cache")
    yield made
    made.stop(by=signal.SIGKILL)


def test_a_started_server_outlives_its_starter_and_another_can_stop_it(place: Place) -> None:
    process = place.spawn(SLEEPER)
    place.wait_until(lambda: "I am up" in Path(process.log).read_text(), process=process)
    again = Place("sleeper", place.folder, cache=place.cache)
    assert again.is_up
    again.stop()
    assert not process.alive
    assert not place.is_up


def test_a_later_process_with_the_same_pid_is_left_alone(place: Place) -> None:
    process = place.spawn(SLEEPER)
    other = dataclasses.replace(process, started_ticks=process.started_ticks - 1)
    place._write("processes", [dataclasses.asdict(other)])
    assert not place.is_up
    place.stop(by=signal.SIGKILL)
    assert process.alive
    place._write("processes", [dataclasses.asdict(process)])


def test_a_failed_start_shows_the_last_lines_of_the_log(place: Place) -> None:
    process = place.spawn([sys.executable, "-c", "print('a line'); raise SystemExit('port 9092 is taken')"])
    with pytest.raises(ServerFailed, match=r"sleeper ended; see .*\n(.|\n)*port 9092 is taken"):
        place.wait_until(lambda: False, process=process)
    slow = place.spawn(SLEEPER)
    with pytest.raises(ServerFailed, match=r"was not ready after 0 s; see .*\n(.|\n)*I am up"):
        place.wait_until(lambda: "never" in Path(slow.log).read_text(), process=slow, timeout_s=0.5)


def test_each_server_keeps_its_own_port_and_password_across_starts(place: Place) -> None:
    again = Place("sleeper", place.folder, cache=place.cache)
    assert place.port("one") == again.port("one") != place.port("two")
    assert place.secret("one") == again.secret("one") != place.secret("two")
    assert (place.folder / "secrets.json").stat().st_mode & 0o077 == 0


def test_a_download_other_than_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    mvn = tools / "mvn"
    mvn.write_text(
        '#!/bin/sh\nfor a in "$@"; do case $a in\n'
        '-DoutputDirectory=*) echo x > "${a#*=}/a-1.zip";; esac; done\n'
    )
    mvn.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    with pytest.raises(ServerFailed, match="it is not the pinned file"):
        maven_file(tmp_path / "cache", "g:a:1:zip", "0" * 64)
    assert not (tmp_path / "cache" / "a-1.zip.d").exists()


def test_a_missing_server_is_skipped_with_the_remedy_or_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_SERVICES_DIR", str(tmp_path))
    monkeypatch.delenv("FRAMETALLY_TEST_KAFKA_URL", raising=False)
    monkeypatch.delenv("FRAMETALLY_REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make services-up SERVICES=kafka"):
        server("kafka")
    monkeypatch.setenv("FRAMETALLY_TEST_KAFKA_URL", "kafka://127.0.0.1:1")
    with pytest.raises(pytest.skip.Exception, match=r"nothing answers at kafka://127\.0\.0\.1:1"):
        server("kafka")
    monkeypatch.setenv("FRAMETALLY_REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="nothing answers"):
        server("kafka")


def test_frametally_finds_the_running_servers_in_a_file_separate_from_that_of_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"kafka": ["URL"], "s3": ["URL", "ACCESS_KEY", "SECRET_KEY"]}
    names["elasticsearch"] = ["URL", "USER", "PASSWORD"]
    names["postgres"] = ["URL", "USER", "PASSWORD", "CA_FILE"]
    places = {name: Place(name, tmp_path / name, cache=tmp_path / "cache") for name in names}
    try:
        for name, place in places.items():
            place.spawn(SLEEPER)
            place.keep({f"FRAMETALLY_TEST_{name.upper()}_{key}": f"{name}'s {key}" for key in names[name]})
        state = State(tmp_path)
        state._write_env()
        monkeypatch.setenv("FRAMETALLY_SERVICES_DIR", str(tmp_path))
        assert needs._from_file().keys() == {key for place in places.values() for key in place.given}
        assert state.settings_file.stat().st_mode & 0o077 == 0
        for word in shlex.split(state.settings_file.read_text(), comments=True):
            monkeypatch.setenv(*word.split("=", 1))
        told = Settings()
        assert (told.log_url, told.store_url, told.store_endpoint) == (
            "kafka's URL",
            "s3://frametally",
            "s3's URL",
        )
        assert (told.index_url, told.ledger_url) == ("elasticsearch's URL", "postgres's URL")
        assert told.index_access == access("elasticsearch", None)
        password = SecretStr("postgres's PASSWORD")
        assert told.ledger_access == ServerAccess(password=password, ca_file=Path("postgres's CA_FILE"))
        assert told.store_secret_key.get_secret_value() == "s3's SECRET_KEY"
    finally:
        for place in places.values():
            place.stop(by=signal.SIGKILL)
    state._write_env()
    assert "FRAMETALLY_" not in state.settings_file.read_text()


def access(name: str, ca_file: Path | None) -> ServerAccess:
    return ServerAccess(user=f"{name}'s USER", password=SecretStr(f"{name}'s PASSWORD"), ca_file=ca_file)


def test_an_unknown_server_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"no server is called 'oracle'; there are: .*kafka"):
        State(tmp_path).up(["oracle"])


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="namespaces are for root, by `unshare`"
)
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_in_its_own_network_ends_with_its_starter_even_if_that_is_killed(
    tmp_path: Path, by: signal.Signals
) -> None:
    command = [sys.executable, IN_NAMESPACE, "bash", "-c", "setsid sleep 600 & echo up; wait"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": str(tmp_path)}
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"up\n"
        starter.send_signal(by)
        assert starter.stdout.read() == b""  # its end shows that no writer is left
