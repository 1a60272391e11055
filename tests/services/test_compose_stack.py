"""The whole compose file on a container engine, by the documented commands: from a clip to the chart.

`make test-compose` runs it. Certificates come from an ACME server in a container of its own; where the images
of others cannot be pulled, stand-ins take their place.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import re
import resource
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import stand_ins
import trustme
import urllib3
import yaml
from compose_file import compose_file, required_variables
from container_engine import ENGINE, NO_ENGINE, OWN
from dotenv import dotenv_values
from server_traefik import certified
from serving.processes import ServerFailed

from frametally.files.demo_clip import ensure_demo_clip
from frametally.settings.loading import load_settings

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3600)]

REPOSITORY = Path(__file__).resolve().parents[2]
DOMAIN = "frametally.test"
HOSTS = [f"{name}.{DOMAIN}" for name in ("app", "elastic", "hadoop", "rabbitmq", "kafka")]
FILMED = ("--source", "Traffic", "--start-time", "2026-01-01T08:00:00Z")
SETTINGS = {"FRAMETALLY_INTERVAL_S": "1", "FRAMETALLY_DETECTOR": "opencv"}
OFTEN = {"FRAMETALLY_AGGREGATE_EVERY": "2s", "FRAMETALLY_INDEX_EVERY": "1s"}
ACCOUNTS = {"FRAMETALLY_WEB_ACCOUNTS": "true", "FRAMETALLY_PROXY_ROLES": "admin=run"}
PORTS = (80, 443, 9093)
PATIENCE_S = 900
ONCE = ("kafka-rights", "setup")
EXPORT = ("interval=1", "format=csv", "from=2026-01-01T08:00:00Z", "to=2026-01-01T09:00:00Z")
EXPORTS = (
    EXPORT,
    *(("interval=60", f"format={kind}") for kind in ("csv", "json", "parquet", "xlsx")),
    ("interval=5", "format=csv", "label=car"),
    ("interval=60", "format=csv", "timezone=Asia/Kolkata"),
)
CHANNELS = {"ops": "https://hooks.frametally.test/counts"}
STOP = {"name": "stop", "width_px": 854, "height_px": 480, "points": [[100, 340], [700, 340]]}
STAGES = {
    "aggregator": "aggregate",
    "consumer": "consume",
    "consumer-live": "consume",
    "worker": "work",
    "live-worker": "live",
    "dashboard": "serve",
    "alerts": "alerts",
}
"""By service with separate rights: its command."""
WAITING = {"consumer": "kafka", "indexer": "elasticsearch", "aggregator": "elasticsearch"}
"""By service: the server that it reports to wait for."""
ROOT = """\
import ssl, urllib.request as r
print(r.urlopen("https://127.0.0.1:15000/roots/0", context=ssl._create_unverified_context()).read().decode())
"""


class Stack:
    """The compose file of a separate checkout, in a separate project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cloud-services"
        self.project = f"frametally-test-{secrets.token_hex(4)}"
        self._environment = os.environ | {"COMPOSE_PROJECT_NAME": self.project}

    def run(self, *command: str, code: int = 0) -> str:
        """Run a documented command in the stack's folder; return its output."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == code, f"{' '.join(command)}: {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout

    def states(self) -> dict[str, str]:
        """The state of each service: `healthy`, `starting`, ... or `exited 0`."""
        states = {}
        for container in self.run("docker-compose", "ps", "--all", "--quiet").split():
            [seen] = json.loads(docker("inspect", container))
            state, name = seen["State"], seen["Config"]["Labels"]["com.docker.compose.service"]
            states[name] = (
                state["Health"]["Status"] if state["Running"] else f"{state['Status']} {state['ExitCode']}"
            )
        return states

    def told(self) -> str:
        """The state of every service, and the last lines of unhealthy ones."""
        states = self.states()
        ill = [name for name, state in states.items() if not is_well(name, state)]
        return f"{states}\n{self.run('docker-compose', 'logs', '--tail', '30', *ill)[-8000:]}"

    def wait_until(self, true: Callable[[], bool]) -> None:
        by_s = time.monotonic() + PATIENCE_S
        while not true():
            if time.monotonic() > by_s:
                pytest.fail(self.told())
            time.sleep(1)


class World(NamedTuple):
    """The stack with the clip counted in it, and the same clip counted by one embedded `run`."""

    stack: Stack
    values: Mapping[str, str | None]
    login: str
    guest: str
    root_file: Path
    exported: bytes


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServerFailed(f"docker {' '.join(arguments)}: {done.stderr[-3000:]}{done.stdout[-3000:]}")
    return done.stdout


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if reason := os.environ.get(NO_ENGINE):
        pytest.skip(reason)
    if ENGINE not in os.environ:
        pytest.skip("needs a container engine: run `make test-compose`")
    if shutil.which("docker-compose") is None:
        pytest.skip("needs docker-compose (Debian: apt install docker-compose)")
    for port in PORTS:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port} is taken here, and Traefik needs it")
    folder = tmp_path_factory.mktemp("checkout")
    check_out(folder)
    clip = ensure_demo_clip(REPOSITORY / "demo-data")
    exported = count_embedded(clip, tmp_path_factory.mktemp("embedded"))
    stack = Stack(folder)
    have_images(stack, tmp_path_factory.mktemp("images"))
    values = set_up(stack, clip)
    guest = f"ben:{secrets.token_urlsafe()}"
    let_in(stack, *guest.split(":"))
    try:
        stack.run("docker-compose", "--profile", "produce", "build")
        seed_models(stack)
        try:
            stack.run("docker-compose", "up", "-d", "--build")
        except AssertionError as error:
            pytest.fail(f"{error}\n{stack.told()}")
        stack.wait_until(lambda: all(is_well(*state) for state in stack.states().items()))
        acme = stack.folder / "traefik/acme/acme.json"
        stack.wait_until(lambda: len(certified(acme, DOMAIN)) == len(HOSTS))
        root_file = folder / "root.pem"
        root_file.write_text(stack.run("docker-compose", "exec", "-T", "pebble", "python", "-c", ROOT))
        _, password = (stack.folder / "first-password").read_text().split()
        stack.run("docker-compose", "run", "--rm", "producer", "/footage/my.mp4", *FILMED)
        world = World(stack, values, f"admin:{password}", guest, root_file, exported)
        stack.wait_until(lambda: ask(world, export_path(), world.login).data == exported)
        yield world
    finally:
        stack.run("docker-compose", "down", "--volumes", "--remove-orphans", "--timeout", "20")


def check_out(folder: Path) -> None:
    """The tracked files of this checkout, as in a clone."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)


def count_embedded(clip: Path, folder: Path) -> bytes:
    """The output of `frametally export` once the embedded parts alone have counted the clip."""

    def frametally(*arguments: str) -> bytes:
        command = [sys.executable, "-m", "frametally", *arguments]
        done = subprocess.run(
            command, cwd=folder, env=os.environ | SETTINGS, check=True, stdout=subprocess.PIPE
        )
        return done.stdout

    frametally("run", str(clip), *FILMED, "--no-serve")
    options = [word for part in EXPORT for word in (f"--{part.partition('=')[0]}", part.partition("=")[2])]
    return frametally("export", *options)


def have_images(stack: Stack, folder: Path) -> None:
    """Do nothing if the images of others can be pulled; else make stand-ins under their tags."""
    [base] = [
        line.split()[1]
        for line in (stack.folder / "Dockerfile").read_text().splitlines()
        if line.endswith(" AS base")
    ]
    try:
        docker("pull", base)
    except ServerFailed as error:
        print(f"stand-ins take the place of the images of others, which cannot be pulled here: {error}")
        for name in ("Dockerfile", "docker-compose.yml"):
            text = (stack.folder / name).read_text(encoding="utf-8")
            (stack.folder / name).write_text(re.sub(r"@sha256:[0-9a-f]{64}", "", text), encoding="utf-8")
        stand_ins.build(docker, folder)
    stand_ins.build_pebble(docker, folder / "pebble")


def set_up(stack: Stack, clip: Path) -> Mapping[str, str | None]:
    """Follow the README; then add the test's settings and the ACME server. Return the content of `.env`."""
    given = ["--domain", DOMAIN, "--email", f"ops@{DOMAIN}", "--bundled-store", "--folder", str(stack.folder)]
    stack.run(sys.executable, "-m", "frametally", "cloud-setup", *given)
    chosen = SETTINGS | OFTEN | ACCOUNTS
    lines = (stack.folder / ".env").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line.partition("=")[0] not in chosen]
    lines += [f"{name}={value}" for name, value in chosen.items()]
    (stack.folder / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (stack.folder / "footage").mkdir(mode=0o755)
    shutil.copy(clip, stack.folder / "footage" / "my.mp4")
    (stack.folder / "docker-compose.override.yml").write_text(
        yaml.safe_dump({"services": override(stack.folder / "pebble")}), encoding="utf-8"
    )
    return dotenv_values(stack.folder / ".env")


def let_in(stack: Stack, name: str, password: str) -> None:
    """Add a user for the web pages, by the README's command."""
    given = ["--folder", str(stack.folder), "--user", name]
    chosen = f"FRAMETALLY_CLOUD_PASSWORD={password}"
    stack.run("env", chosen, sys.executable, "-m", "frametally", "cloud-setup", *given)


def override(folder: Path) -> dict[str, object]:
    """The tests' additions: an ACME server that finds Traefik by its names; builds with internet access."""
    folder.mkdir()
    authority = trustme.CA()
    leaf = authority.issue_cert("pebble")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf.private_key_pem.write_to_path(str(folder / "server.key"))
    (folder / "server.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    settings = {
        "listenAddress": "0.0.0.0:14000",
        "managementListenAddress": "0.0.0.0:15000",
        "certificate": "/pebble/server.pem",
        "privateKey": "/pebble/server.key",
        "httpPort": 8080,
        "tlsPort": 8443,  # where Traefik's container listens
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}), encoding="utf-8")
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    services: dict[str, object] = {
        "pebble": {
            "image": stand_ins.PEBBLE,
            "command": ["-config", "/pebble/pebble.json"],
            "environment": {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
            "networks": ["outside"],
            "volumes": ["./pebble:/pebble:ro"],
            "healthcheck": {
                "test": ["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/14000"],
                "interval": "5s",
            },
        },
        "traefik": {
            "environment": {
                "TRAEFIK_CERTIFICATESRESOLVERS_LETSENCRYPT_ACME_CASERVER": "https://pebble:14000/dir",
                "LEGO_CA_CERTIFICATES": "/pebble/ca.pem",
            },
            "volumes": ["./pebble:/pebble:ro"],
            "networks": {"outside": {"aliases": HOSTS}, "front": {}},
            "depends_on": {"pebble": {"condition": "service_healthy"}},
        },
    }
    if os.environ[ENGINE] == OWN:
        whole = compose_file(dict.fromkeys(required_variables(), "unused"))["services"]
        services |= {name: {"build": {"network": "host"}} for name, one in whole.items() if "build" in one}
        # An engine only shares files that it can open itself.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        for name, one in whole.items():
            if "nofile" in one.get("ulimits", {}) and most < one["ulimits"]["nofile"]:
                services[name] = {"ulimits": {"nofile": most}}
    return services


def seed_models(stack: Stack) -> None:
    """The consumer's downloads."""
    models = load_settings("consumer").models_dir.expanduser()
    command = ("docker-compose", "run", "--rm", "--no-deps", "--volume", f"{models}:/from:ro")
    stack.run(*command, "consumer", "sh", "-c", "cp /from/* /models/")


def is_well(service: str, state: str) -> bool:
    if service in ONCE:
        assert state in ("exited 0", "starting", "healthy", "unhealthy"), f"{service}: {state}"
        return state == "exited 0"
    return state == "healthy"


def export_path(options: Sequence[str] = EXPORT) -> str:
    return "/api/export?" + "&".join(options)


def ask(world: World, path: str, login: str = "", *, host: str = HOSTS[0]) -> urllib3.BaseHTTPResponse:
    headers = {"Host": host}
    if login:
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    with urllib3.HTTPSConnectionPool(
        "127.0.0.1",
        443,
        ca_certs=str(world.root_file),
        assert_hostname=host,
        server_hostname=host,
        retries=False,
    ) as pool:
        return pool.request("GET", path, headers=headers, redirect=False)


def test_every_service_is_healthy_and_every_one_off_task_has_succeeded(world: World) -> None:
    states = world.stack.states()
    assert {"kafka-rights", "setup", "consumer", "nodemanager", "dashboard", "store", "traefik"} <= set(
        states
    )
    assert {name for name, state in states.items() if state != "healthy"} == set(ONCE)
    assert {states[name] for name in ONCE} == {"exited 0"}


def test_the_chart_behind_traefik_has_the_counts_of_the_embedded_run(world: World) -> None:
    assert len(world.exported.splitlines()) > 10
    answer = ask(world, export_path(), world.login)
    assert answer.status == 200
    assert answer.data == world.exported


def test_nothing_is_shown_without_the_password(world: World) -> None:
    for host in HOSTS[:3]:
        assert ask(world, "/", host=host).status == 401
        assert ask(world, "/", "admin:not-this-one-9", host=host).status == 401


def test_a_visitor_has_the_role_of_their_account_and_nobody_in_the_stack_has_one(world: World) -> None:
    assert ask(world, export_path(), world.guest).status == 403
    execute = ("docker-compose", "exec", "-T", "dashboard")
    world.stack.run(*execute, "frametally", "users", "add", "ben", "--role", "look")
    assert ask(world, export_path(), world.guest).data == world.exported
    assert ask(world, "/audit", world.guest).status == 403
    assert ask(world, "/audit", world.login).status == 200
    inside = "import urllib.request; urllib.request.urlopen('http://localhost:5001/api/v1/counts')"
    assert "401" in world.stack.run(*execute, "python", "-c", inside, code=1)


def test_the_books_are_in_order(world: World) -> None:
    said = world.stack.run("docker-compose", "exec", "-T", "indexer", "frametally", "status")
    assert "settled" in said
    # The upgrade's list of days whose numbers a newer version would change.
    look = ("run", "--rm", "--no-deps", "aggregator", "frametally", "aggregate", "--dry-run")
    assert "earlier version" not in world.stack.run("docker-compose", *look)


@pytest.mark.parametrize(("service", "stage"), [("indexer", ""), *STAGES.items()])
def test_the_doctor_finds_every_service_of_the_stack_healthy(world: World, service: str, stage: str) -> None:
    """By the documented command; with the rights of the service, if it has fewer than all."""
    only = ("--stage", stage) if stage else ()
    said = world.stack.run("docker-compose", "exec", "-T", service, "frametally", "doctor", *only)
    assert said.splitlines()[-1] == "all good"
    if stage == "aggregate":
        assert re.search(r"runner +hadoop +an empty job ran successfully", said)


def test_no_container_runs_as_root_or_with_a_capability(world: World) -> None:
    for container in world.stack.run("docker-compose", "ps", "--quiet").split():
        [seen] = json.loads(docker("inspect", container))
        service = seen["Config"]["Labels"]["com.docker.compose.service"]
        if service == "pebble" or not seen["State"]["Running"]:
            continue
        status = docker("exec", container, "cat", "/proc/1/status") if service != "traefik" else ""
        for line in status.splitlines():
            name, _, value = line.partition(":")
            if name == "Uid":
                assert "0" not in value.split(), service
            if name in ("CapPrm", "CapEff", "CapBnd"):
                assert int(value, 16) == 0, service
            if name == "NoNewPrivs":
                assert value.strip() == "1", service


def test_stages_wait_with_a_message_while_kafka_and_elasticsearch_are_down_and_counting_goes_on(
    world: World,
) -> None:
    stack = world.stack
    film(stack, "second")
    film(stack, "third")
    stack.run("docker-compose", "stop", "aggregator")
    produce = ("docker-compose", "run", "--no-deps")
    stack.run(*produce, "--rm", "producer", *footage_of("second", day=2))
    stack.wait_until(lambda: figure(stack, "detected")["second"] == 60)
    began = datetime.datetime.now(datetime.UTC)
    stack.run("docker-compose", "stop", "kafka", "elasticsearch")
    try:
        # They start while both are unavailable, as after a restart of the machine.
        stack.run("docker-compose", "restart", "consumer", "indexer")
        stack.run("docker-compose", "start", "aggregator")
        producer = stack.run(*produce, "-d", "producer", *footage_of("third", day=3)).split()[-1]
        stack.wait_until(lambda: "waiting" in of_container(producer))
        stack.wait_until(
            lambda: all(
                has_said(stack, one, f"WARNING waiting.*{what}", began) for one, what in WAITING.items()
            )
        )
        stack.wait_until(lambda: has_said(stack, "aggregator", "INFO +counts: 1 day counted", began))
        said = stack.run("docker-compose", "exec", "-T", "indexer", "frametally", "status", code=2)
        assert "away: Kafka at kafka:9092" in said
        assert "elasticsearch:9200" in said
        assert re.search(r"^ *second +60 +60 +60 +0 +60", said, re.MULTILINE)
        assert [restarts(stack, service) for service in WAITING] == [0, 0, 0]
    finally:
        stack.run("docker-compose", "start", "kafka", "elasticsearch")
    assert docker("wait", producer).strip() == "0", of_container(producer)
    stack.wait_until(lambda: books(stack)["verdict"] == "settled")
    assert figure(stack, "indexed") == {"second": 60, "third": 60, "traffic": 60}
    assert [restarts(stack, service) for service in WAITING] == [0, 0, 0]


def film(stack: Stack, name: str) -> None:
    """The clip as a different file: an empty box at its end changes its hash, not its pictures."""
    clip = (stack.folder / "footage" / "my.mp4").read_bytes()
    size = (8 + len(name)).to_bytes(4, "big")
    path = stack.folder / "footage" / f"{name}.mp4"
    path.write_bytes(clip + size + b"free" + name.encode())
    path.chmod(0o644)


def footage_of(name: str, *, day: int) -> tuple[str, ...]:
    return (f"/footage/{name}.mp4", "--source", name, "--start-time", f"2026-01-0{day}T08:00:00Z")


def books(stack: Stack) -> dict[str, Any]:
    """The output of `status`, with any exit code."""
    asked = "frametally status --json 2>/dev/null; true"
    said = stack.run("docker-compose", "exec", "-T", "indexer", "sh", "-c", asked)
    found: dict[str, Any] = json.loads(said)
    return found


def figure(stack: Stack, name: str) -> Counter[str]:
    """One column of the books, by source."""
    return Counter({source["source"]: source[name] for source in books(stack)["sources"]})


def restarts(stack: Stack, service: str) -> int:
    """The number of its restarts since a person started it."""
    [seen] = json.loads(docker("inspect", stack.run("docker-compose", "ps", "--quiet", service).strip()))
    count: int = seen["RestartCount"]
    return count


def of_container(container: str) -> str:
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def has_said(stack: Stack, service: str, pattern: str, since: datetime.datetime) -> bool:
    """Whether its log has such a line, level and text, and no older."""
    found = re.findall(rf"(\S+) {pattern}", stack.run("docker-compose", "logs", "--no-color", service))
    return any(datetime.datetime.fromisoformat(at) >= since.replace(microsecond=0) for at in found)


def test_no_log_contains_a_secret(world: World) -> None:
    logs = world.stack.run("docker-compose", "logs", "--no-color")
    secret = {name: value for name, value in world.values.items() if re.search("PASSWORD|SECRET", name)}
    assert [name for name, value in secret.items() if value and value in logs] == []


def test_an_empty_server_is_restored_completely_from_the_bucket_and_the_env_file(world: World) -> None:
    """The last test of the module: afterwards only the models remain of the stack's data."""
    stack = world.stack
    execute = ("docker-compose", "exec", "-T", "-e", f"FRAMETALLY_ALERT_CHANNELS={json.dumps(CHANNELS)}")

    def frametally(service: str, *arguments: str) -> str:
        return stack.run(*execute, service, "frametally", *arguments)

    def kept() -> dict[str, object]:
        told: dict[str, object] = {
            command: frametally("dashboard", *command.split())
            for command in ("users list", "tokens list", "alerts list --json", "report list")
        }
        told["lines"] = frametally("dashboard", "lines", "export", "traffic")
        return told | {path: ask(world, path, world.login).data for path in map(export_path, EXPORTS)}

    frametally("dashboard", "users", "add", "cara", "--role", "correct", "--source", "traffic")
    frametally("dashboard", "tokens", "add", "cara", "nightly")
    rule = ("--what", "count", "--at-least", "1000", "--interval", "1m", "--channel", "ops")
    frametally("dashboard", "alerts", "add", "busy", *rule)
    frametally("dashboard", "report", "add", "daily", "--every", "day", "--at", "06:00", "--zone", "UTC")
    drawn = f"echo '{json.dumps({'lines': [STOP]})}' > /tmp/stop.json"
    stack.run(*execute, "dashboard", "sh", "-ec", f"{drawn}; frametally lines import traffic /tmp/stop.json")
    before, audit = kept(), frametally("dashboard", "audit", "export")
    assert len({value for value in before.values() if isinstance(value, bytes)}) == len(EXPORTS)
    assert "accounts: " in frametally("indexer", "backup")

    stack.run("docker-compose", "down", "--remove-orphans", "--timeout", "20")
    for volume in docker("volume", "ls", "--quiet", "--filter", f"name={stack.project}_").split():
        if not volume.endswith(("_store-data", "_models")):
            docker("volume", "rm", volume)
    idle = [
        word
        for name in ("dashboard", "alerts", "worker", "live-worker", "retention", "backup")
        for word in ("--scale", f"{name}=0")
    ]
    stack.run("docker-compose", "up", "-d", *idle)
    stack.wait_until(lambda: stack.states().get("indexer") == "healthy")
    frametally("indexer", "restore")
    frametally("indexer", "catalogue", "rebuild")
    stack.run("docker-compose", "up", "-d")
    stack.wait_until(lambda: all(is_well(*state) for state in stack.states().items()))
    # With the sources of the outage, which the embedded run does not have.
    stack.wait_until(lambda: ask(world, export_path(), world.login).data == before[export_path()])

    assert kept() == before
    restored = frametally("dashboard", "audit", "export")
    assert restored.startswith(audit)
    assert '"what": "restore"' in restored.removeprefix(audit)
    assert "all as they were written" in frametally("dashboard", "audit", "verify")
