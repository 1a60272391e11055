"""The whole stack, natively: from a clip to the chart at https://app.<domain>, in a network of its own.

`make test-stack` runs it. The compose file's services run as processes with its settings, users, volumes and
health checks; Traefik with the shipped files; certificates come from an ACME server.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import urllib3
from dotenv import dotenv_values
from in_namespace import DOMAIN, INSIDE, NAMES
from native_stack import NativeStack
from server_traefik import certified, for_tests, refuse_trouble
from serving.place import Place
from serving.state import State
from tests.live.showing import Speaker
from tests.live.test_camera_opening import motion_jpeg
from tests.live.watching import Shown, Watcher, open_socket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.books.runs import current_runs, read_run
from frametally.errors import Misconfigured
from frametally.files.demo_clip import ensure_demo_clip
from frametally.ports.object_store import ObjectStore
from frametally.records import IntervalCount
from frametally.segments.contents import list_segments, read_header
from frametally.settings.access import LogAccess, StoreAccess
from frametally.settings.fields import SecretStr
from frametally_cloud.stack_setup import Answers, set_up, web_hash

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1500)]

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIME = "2026-01-01T08:00:00Z"
FILMED = ("--source", "Traffic", "--start-time", START_TIME)
SETTINGS = {"FRAMETALLY_INTERVAL_S": "1", "FRAMETALLY_DETECTOR": "opencv"}
STREAMED = "2026-04-01"
STREAMED_FILM = ("--source", "Streamed", "--start-time", f"{STREAMED}T08:00:00Z")
PASSWORD = "Seven-tall-herons-2"  # noqa: S105
SERVERS = (
    "kafka",
    "elasticsearch",
    "postgres",
    "rabbitmq",
    "store",
    "namenode",
    "datanode",
    "resourcemanager",
    "nodemanager",
    "jobhistory",
)
RUNNER = os.environ.get("FRAMETALLY_STACK_RUNNER", "hadoop")
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
    "Sec-WebSocket-Version": "13",
}
PATIENCE_S = 600
SCREENSHOT = Path(os.environ.get("FRAMETALLY_STACK_SCREENSHOT", REPOSITORY / ".services/stack-dashboard.png"))


class World(NamedTuple):
    """The stack with the clip counted in it, and the same clip counted by one embedded `run`."""

    stack: NativeStack
    values: dict[str, str]
    root_file: Path
    api: str
    traefik_log_bytes: int
    embedded: Path
    first_consumer: int


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if os.environ.get(INSIDE) != "1":
        pytest.skip("needs a network of its own: run `make test-stack`")
    folder = tmp_path_factory.mktemp("stack")
    clip = ensure_demo_clip(REPOSITORY / "demo-data")
    embedded = count_embedded(clip, tmp_path_factory.mktemp("embedded"))
    with AcmeServer(folder) as acme:
        here, values = set_up_stack(folder, clip)
        with NativeStack(folder, here, values) as stack:
            api_port = 8009
            stack.extra["traefik"] = for_tests(acme["URL"], acme["CA_FILE"], api_port)
            stack.binds["traefik"] = {f"{acme['CA_FILE']}:ro": Path(acme["CA_FILE"])}
            bring_up(stack)
            api = f"http://127.0.0.1:{api_port}"
            wait_until(
                lambda: len(certified(here / "traefik/acme/acme.json", DOMAIN)) == len(NAMES), stack, 120
            )
            first_consumer = send_clip(stack)
            wait_until(lambda: frames_detected(stack) == frames_of(embedded), stack)
            # Not before: a round on YARN takes a minute, and one with half of it is followed by another.
            stack.start("aggregator")
            stack.wait_healthy("aggregator")
            wait_until(lambda: settled(stack, embedded), stack)
            log = stack.log("traefik")
            root_file = Path(acme["ROOT_FILE"])
            yield World(stack, values, root_file, api, log.stat().st_size, embedded, first_consumer)


@pytest.fixture(scope="module")
def long_upload(world: World) -> Iterator[Future[tuple[str, int]]]:
    """An upload of more than a minute, concurrent with the tests that follow the first that uses it."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(upload, world, over_s=80.0)


class AcmeServer:
    """An ACME server that checks challenges at the web's ports."""

    def __init__(self, folder: Path) -> None:
        self.state = State(folder / "servers", options={"acme_tls_port": "443", "acme_http_port": "80"})

    def __enter__(self) -> dict[str, str]:
        rows = self.state.up(["acme"])
        assert not [row.trouble for row in rows if row.trouble]
        given = Place("acme", self.state.folder / "acme", cache=Path()).given
        return {name.removeprefix("FRAMETALLY_TEST_ACME_"): value for name, value in given.items()}

    def __exit__(self, *_: object) -> None:
        self.state.down()


def set_up_stack(folder: Path, clip: Path) -> tuple[Path, dict[str, str]]:
    """A copy of `cloud-services` after the command, and the content of its `.env`."""
    here = folder / "cloud-services"
    made = shutil.ignore_patterns(
        *(".env", "auth", "acme", "store", "footage", "users", "users_roles", "kafka*.conf"),
        *("definitions.json", "alertmanager.yml"),
    )
    shutil.copytree(REPOSITORY / "cloud-services", here, ignore=made)
    set_up(
        here,
        Answers(
            domain=DOMAIN, email=f"ops@{DOMAIN}", user="eva", password=PASSWORD, bundled_store=True, store={}
        ),
    )
    chosen = SETTINGS | {
        "FRAMETALLY_AGGREGATE_EVERY": "2s",
        "FRAMETALLY_INDEX_EVERY": "1s",
        "FRAMETALLY_RUNNER": RUNNER,
        "FRAMETALLY_LIVE_ALLOW": "127.0.0.0/8",
        "FRAMETALLY_WEB_ACCOUNTS": "true",
        "FRAMETALLY_PROXY_ROLES": "eva=run",
    }
    with (here / "traefik" / "auth" / "usersfile").open("a", encoding="utf-8") as users:
        users.write(f"ben:{web_hash(PASSWORD)}\n")
    lines = (here / ".env").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.partition("=")[0] not in chosen]
    lines = [*kept, *(f"{name}={value}" for name, value in chosen.items())]
    (here / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (here / "footage").mkdir(mode=0o755)
    shutil.copy(clip, here / "footage" / "traffic.mp4")
    return here, {name: value or "" for name, value in dotenv_values(here / ".env").items()}


def count_embedded(clip: Path, folder: Path, *filmed: str) -> Path:
    """The clip, counted by the embedded parts alone; its data folder."""
    subprocess.run(
        [sys.executable, "-m", "frametally", "run", str(clip), *(filmed or FILMED), "--no-serve"],
        cwd=folder,
        env=os.environ | SETTINGS,
        check=True,
        capture_output=True,
    )
    return folder / "frametally-data"


def bring_up(stack: NativeStack) -> None:
    """As `docker-compose up` does: servers, then `setup`, then services that depend on it."""
    for name in SERVERS:
        stack.start(name)
    stack.wait_healthy(*SERVERS)
    for name in ("kafka-rights", "setup"):
        code, said = stack.run(name)
        assert code == 0, said
    seed_models(stack)
    # The first consumer dies after storing its first segment, before it learns of it.
    stack.extra["consumer"] = {"FRAMETALLY_FAILPOINT": "chain.put"}
    stack.start("consumer", instance="consumer-1")
    stack.extra["consumer"] = {}
    others = (
        "consumer-live",
        "indexer",
        "dashboard",
        "worker",
        "live-worker",
        "alerts",
        "retention",
        "backup",
        "traefik",
    )
    for name in others:
        stack.start(name)
    stack.wait_healthy(*others)


def seed_models(stack: NativeStack) -> None:
    """The consumer's downloads: there is no internet access in here."""
    from frametally.settings.loading import load_settings

    models = stack.volume("models", "10001:10001")
    for path in load_settings("consumer").models_dir.expanduser().iterdir():
        shutil.copy(path, models)
        os.chown(models / path.name, 10001, 10001)


def send_clip(stack: NativeStack) -> int:
    """Produce the clip; then end the first consumer and start another. Return the exit code of the first."""
    code, said = stack.run("producer", "/footage/traffic.mp4", *FILMED)
    assert code == 0, said
    first = stack.finish("consumer-1")
    stack.start("consumer", instance="consumer-2")
    return first


def open_store(stack: NativeStack) -> ObjectStore:
    values = stack.variables
    return open_object_store(
        values["FRAMETALLY_STORE_URL"],
        StoreAccess(
            endpoint="http://127.0.0.1:8333",
            access_key=values["FRAMETALLY_STORE_ACCESS_KEY"],
            secret_key=SecretStr(values["FRAMETALLY_STORE_SECRET_KEY"]),
        ),
    )


def part_files(store: ObjectStore) -> dict[str, bytes]:
    return {
        f"{run.model}/{run.day}/{name}": store.get(f"{run.prefix}/{name}")
        for run in current_runs(store)
        for name in run.parts
    }


def counts_of(store: ObjectStore) -> list[IntervalCount]:
    return [count for run in current_runs(store) for count in read_run(store, run)[0]]


def frames_of(data_dir: Path) -> int:
    with closing(open_object_store(f"file://{data_dir}/store")) as store:
        return sum(run.frames for run in current_runs(store))


def frames_detected(stack: NativeStack) -> int:
    with closing(open_store(stack)) as store:
        return sum(read_header(store, key)[0].frames for key in list_segments(store))


def settled(stack: NativeStack, embedded: Path) -> bool:
    """Whether every frame is counted, and the books are in order."""
    with closing(open_store(stack)) as store:
        if sum(run.frames for run in current_runs(store)) != frames_of(embedded):
            return False
    return stack.execute("indexer", "frametally", "status").returncode == 0


def wait_until(true: Callable[[], bool], stack: NativeStack, timeout_s: float = PATIENCE_S) -> None:
    by_s = time.monotonic() + timeout_s
    while not true():
        ended = stack.ended()
        assert not ended, "".join(f"{n} ended\n{stack.log(n).read_text()[-3000:]}" for n in ended)
        if time.monotonic() > by_s:
            tails = {
                n: stack.log(n).read_text()[-1500:]
                for n in ("consumer-2", "aggregator", "indexer", "traefik")
            }
            pytest.fail("\n".join(f"== {name}\n{tail}" for name, tail in tails.items()))
        time.sleep(0.5)


def login(user: str = "eva", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def ask(
    world: World,
    name: str,
    *,
    user: str = "",
    password: str = "",
    path: str = "/",
    method: str = "GET",
    origin: str = "",
    **sent: Any,
) -> urllib3.BaseHTTPResponse:
    headers = (login(user, password) if user else {}) | ({"Origin": origin} if origin else {})
    with urllib3.PoolManager(ca_certs=str(world.root_file), retries=False) as pool:
        return pool.request(method, f"https://{name}.{DOMAIN}{path}", headers=headers, redirect=False, **sent)


def test_the_part_files_match_those_of_the_embedded_run_byte_for_byte(world: World) -> None:
    with (
        closing(open_store(world.stack)) as ours,
        closing(open_object_store(f"file://{world.embedded}/store")) as embedded,
    ):
        expected = part_files(embedded)
        assert expected
        assert part_files(ours) == expected


def test_the_job_ran_on_yarn(world: World) -> None:
    if RUNNER != "hadoop":
        pytest.skip(f"FRAMETALLY_STACK_RUNNER={RUNNER}")
    with urllib3.PoolManager() as pool:
        apps = pool.request("GET", "http://127.0.0.1:8088/ws/v1/cluster/apps?states=FINISHED").json()
    finished = [app for app in (apps["apps"] or {}).get("app", []) if app["finalStatus"] == "SUCCEEDED"]
    assert finished


def test_one_consumer_died_during_the_run_and_the_books_are_in_order(world: World) -> None:
    assert world.first_consumer == -signal.SIGKILL, world.stack.log("consumer-1").read_text()[-3000:]
    done = world.stack.execute("indexer", "frametally", "status")
    assert done.returncode == 0, done.stdout
    assert "settled" in done.stdout


def test_the_dashboard_shows_the_same_numbers_in_a_browser(world: World) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, a tool for tests")
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("FRAMETALLY_REQUIRE_BROWSER") == "1":
            pytest.fail("no Chromium here")
        pytest.skip("needs Chromium (Debian: apt install chromium)")
    with closing(open_object_store(f"file://{world.embedded}/store")) as store:
        counts = counts_of(store)
    total, frames = sum(count.detections for count in counts), frames_of(world.embedded)
    trusted = f"--ignore-certificate-errors-spki-list={trusted_key(world.root_file, f'app.{DOMAIN}')}"
    with playwright.sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=chromium, args=["--no-sandbox", trusted])
        context = browser.new_context(
            viewport={"width": 1280, "height": 900},
            http_credentials={"username": "eva", "password": PASSWORD},
        )
        page = context.new_page()
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"https://app.{DOMAIN}/")

        def fact(name: str) -> str:
            text: str = page.locator(f"#facts [data-fact={name}]").inner_text(timeout=30_000)
            return text

        page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for(timeout=60_000)
        playwright.expect(page.locator("#answer")).to_contain_text(f"{total:,}")
        assert fact("frames") == f"{frames:,} frames analysed"
        by_s = time.monotonic() + 60
        while fact("source") != "Traffic" and time.monotonic() < by_s:
            page.reload()  # the page waits for names for 2 s, then shows what there is
            page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for(timeout=60_000)
        assert fact("source") == "Traffic"
        page.locator(".frame-card .picture").first.scroll_into_view_if_needed()
        playwright.expect(page.locator(".frame-card .picture.loaded").first).to_be_visible(timeout=30_000)
        SCREENSHOT.parent.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOT)
        browser.close()
    assert said == []


def trusted_key(root_file: Path, host: str) -> str:
    """The key of a host's certificate, once it is verified, as Chromium names it: base64 of a sha256."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    context = ssl.create_default_context(cafile=str(root_file))
    with (
        socket.create_connection((host, 443), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        certificate = secured.getpeercert(binary_form=True)
    assert certificate is not None
    key = x509.load_der_x509_certificate(certificate).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


@pytest.mark.parametrize(
    ("name", "path", "shows"),
    [
        ("app", "/", "frametally"),
        ("elastic", "/hadoop-object-counts/_count", '"count"'),
        ("hadoop", "/dfshealth.html", "Namenode information"),
        ("rabbitmq", "/api/queues/%2F", '"frames"'),
    ],
)
@pytest.mark.usefixtures("long_upload")
def test_every_route_is_closed_without_the_right_password_and_open_with_it(
    world: World, name: str, path: str, shows: str
) -> None:
    assert ask(world, name, path=path).status == 401
    assert ask(world, name, user="eva", password="not-this-one-9", path=path).status == 401  # noqa: S106
    answer = ask(world, name, user="eva", password=PASSWORD, path=path)
    assert answer.status == 200, answer.data[:300]
    assert shows.lower() in answer.data.decode().lower()
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_a_visitor_has_the_role_of_their_account_and_nobody_in_the_stack_has_one(world: World) -> None:
    def asked(user: str, method: str, path: str) -> urllib3.BaseHTTPResponse:
        origin = f"https://app.{DOMAIN}"
        return ask(world, "app", user=user, password=PASSWORD, path=path, method=method, origin=origin)

    unknown = asked("ben", "GET", "/api/v1/counts")
    assert (unknown.status, unknown.json()["detail"]) == (403, "ben has no role here.")
    added = world.stack.execute("dashboard", "frametally", "users", "add", "ben", "--role", "look")
    assert added.returncode == 0, added.stderr
    assert asked("ben", "GET", "/api/v1/counts").status == 200
    for method, path in (("POST", "/api/v1/stream/start"), ("DELETE", "/api/v1/cameras/gate")):
        assert asked("ben", method, path).status == 403
        assert asked("eva", method, path).status in (400, 404, 415, 422)
    inside = urllib3.request("GET", "http://localhost:5001/api/v1/counts", retries=False)
    assert inside.status == 401


def test_at_elasticsearch_a_visitor_can_only_read(world: World) -> None:
    path = "/hadoop-object-counts/_doc/x"
    put = ask(world, "elastic", user="eva", password=PASSWORD, path=path, method="PUT", json={})
    assert put.status == 403


def test_at_rabbitmq_a_visitor_can_only_read(world: World) -> None:
    def asked(method: str, path: str) -> urllib3.BaseHTTPResponse:
        return ask(world, "rabbitmq", user="eva", password=PASSWORD, path=path, method=method)

    assert {queue["name"] for queue in asked("GET", "/api/queues/%2F").json()} >= {"frames", "media"}
    assert asked("DELETE", "/api/queues/%2F/frames").status == 401
    assert asked("DELETE", "/api/users/frametally").status == 401
    assert asked("GET", "/api/whoami").json()["name"] == "frametally-viewer"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/webhdfs/v1/of-a-visitor?op=MKDIRS&user.name=hadoop"),
        ("DELETE", "/webhdfs/v1/tmp?op=DELETE&recursive=true&user.name=hadoop"),
        ("GET", "/fsck?ugi=hadoop&path=/&delete=1"),
        ("GET", "/logLevel?log=org.apache.hadoop&level=OFF"),
    ],
)
def test_at_hadoop_a_visitor_can_only_read(world: World, method: str, path: str) -> None:
    assert ask(world, "hadoop", user="eva", password=PASSWORD, path=path, method=method).status == 404
    listed = ask(
        world, "hadoop", user="eva", password=PASSWORD, path="/webhdfs/v1/?op=LISTSTATUS&user.name=hadoop"
    )
    names = [one["pathSuffix"] for one in listed.json()["FileStatuses"]["FileStatus"]]
    assert "tmp" in names
    assert "of-a-visitor" not in names


def test_a_producer_elsewhere_reaches_kafka_by_its_public_name_over_sasl_ssl(
    world: World, tmp_path: Path
) -> None:
    env = {
        "FRAMETALLY_LOG_URL": f"kafka://kafka.{DOMAIN}:9093",
        "FRAMETALLY_LOG_SECURITY": "SASL_SSL",
        "FRAMETALLY_LOG_USER": "frametally-camera",
        "FRAMETALLY_LOG_PASSWORD": world.values["FRAMETALLY_LOG_CAMERA_PASSWORD"],
        "FRAMETALLY_LOG_CA_FILE": str(world.root_file),
        "FRAMETALLY_STORE_URL": world.values["FRAMETALLY_STORE_URL"],
        "FRAMETALLY_STORE_ENDPOINT": "http://127.0.0.1:8333",
        "FRAMETALLY_STORE_ACCESS_KEY": world.values["FRAMETALLY_STORE_ACCESS_KEY"],
        "FRAMETALLY_STORE_SECRET_KEY": world.values["FRAMETALLY_STORE_SECRET_KEY"],
    }
    clip = world.stack.stack / "footage" / "traffic.mp4"

    def produce(**settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "frametally", "produce", str(clip), *FILMED],
            cwd=tmp_path,
            env=os.environ | env | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    assert produce().returncode == 0  # existing footage is found, and not announced a second time
    # Neither with another password nor with the log-in for the inner network.
    inside = {
        "FRAMETALLY_LOG_USER": "frametally",
        "FRAMETALLY_LOG_PASSWORD": world.values["FRAMETALLY_LOG_PASSWORD"],
    }
    for login in ({"FRAMETALLY_LOG_PASSWORD": "not-this-one-9"}, inside):
        refused = produce(**login)
        assert refused.returncode == 2, refused.stderr
        assert "password" in refused.stderr
    access = LogAccess(
        user="frametally-camera",
        password=SecretStr(world.values["FRAMETALLY_LOG_CAMERA_PASSWORD"]),
        ca_file=world.root_file,
        security="SASL_SSL",
    )
    with closing(open_frame_log(env["FRAMETALLY_LOG_URL"], access)) as log:
        log.publish("frames", [])
        for forbidden in (
            lambda: log.create_topic("of-a-camera", 1),
            lambda: log.publish("of-a-camera", [(b"gate", b"a message")]),
            lambda: log.subscribe(
                "frames", "frametally-camera", on_assigned=lambda _: None, on_revoked=lambda _: None
            ),
            lambda: log.trim("frames"),
        ):
            with pytest.raises(Misconfigured, match="does not allow user 'frametally-camera'"):
                forbidden()


def test_traefik_understood_every_file_and_no_log_contains_a_secret(world: World) -> None:
    refuse_trouble(world.api, world.stack.log("traefik"))
    set_here = {name: value for name, value in world.values.items() if value}  # mail's may be empty
    secrets = {value for name, value in set_here.items() if "PASSWORD" in name or "SECRET" in name} | {
        PASSWORD
    }
    for log in (world.stack.folder / "logs").iterdir():
        text = log.read_text(encoding="utf-8", errors="replace")
        assert not [name for name in secrets if name in text], log


def form_of(clip: bytes, padding: int, **fields: str) -> tuple[list[bytes], int]:
    """A form with an MP4 that ends in this many zero bytes, in pieces, and its length in bytes."""
    edge = "--of-the-form"
    named = [
        f'{edge}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()
    ]
    file = f'{edge}\r\nContent-Disposition: form-data; name="file"; filename="gate.mp4"\r\n\r\n'
    nothing = [(padding + 8).to_bytes(4, "big") + b"free"] + [bytes(1_000_000)] * (padding // 1_000_000)
    film = [clip[at : at + 100_000] for at in range(0, len(clip), 100_000)] + (nothing if padding else [])
    pieces = ["".join([*named, file]).encode(), *film, f"\r\n{edge}--\r\n".encode()]
    return pieces, sum(map(len, film))


def send_form(url: str, pieces: list[bytes], *, over_s: float, **pool: Any) -> dict[str, Any]:
    """The answer to a form that eva sends over this many seconds."""

    def slowly() -> Iterator[bytes]:
        for piece in pieces:
            time.sleep(over_s / len(pieces))
            yield piece

    headers = {
        **login(),
        "Content-Type": "multipart/form-data; boundary=of-the-form",
        "Content-Length": str(sum(map(len, pieces))),
    }
    with urllib3.PoolManager(retries=False, timeout=300, **pool) as server:
        answer = server.request("POST", url, body=slowly(), headers=headers)
    assert answer.status == 201, answer.data
    said: dict[str, Any] = answer.json()
    return said


def upload(world: World, *, over_s: float = 0.0, padding: int = 0) -> tuple[str, int]:
    """Upload the clip through Traefik, over this many seconds, with this many zero bytes; return
    id and size."""
    clip = (world.stack.stack / "footage" / "traffic.mp4").read_bytes()
    # Another day for each: existing facts about the clip stay unchanged.
    day = "2026-02-01" if padding else "2026-03-01"
    pieces, size = form_of(
        clip if padding else clip + (16).to_bytes(4, "big") + b"free" + bytes(8),
        padding,
        source="Uploaded",
        start_time=f"{day}T08:00:00Z",
    )
    url = f"https://app.{DOMAIN}/api/v1/videos/upload"
    return str(send_form(url, pieces, over_s=over_s, ca_certs=str(world.root_file))["id"]), size


def watch(world: World, asked: str, **headers: str) -> ClientConnection:
    """A viewer's socket through Traefik."""
    context = ssl.create_default_context(cafile=str(world.root_file))
    # With TLS 1.3, tickets arrive unasked: the client's reading thread would wait in TLS while another
    # writes.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    url = f"wss://app.{DOMAIN}/ws/stream?{asked}"
    return open_socket(url, ssl=context, additional_headers=headers)


@pytest.mark.parametrize("path", ["/live", "/videos", "/api/v1/streams", "/api/v1/cameras"])
def test_live_pages_and_answers_are_closed_without_the_password(world: World, path: str) -> None:
    assert ask(world, "app", path=path).status == 401
    assert ask(world, "app", user="eva", password=PASSWORD, path=path).status == 200


def test_nobody_can_watch_without_the_password_or_from_another_site(world: World) -> None:
    for headers in ({}, login(password="not-this-one-9")):  # noqa: S106
        with urllib3.PoolManager(ca_certs=str(world.root_file), retries=False) as pool:
            asked = pool.request(
                "GET", f"https://app.{DOMAIN}/ws/stream?source=nowhere", headers=HANDSHAKE | headers
            )
        assert asked.status == 401
    with watch(world, "source=nowhere", **login(), Origin=f"https://app.{DOMAIN}") as own:
        assert Watcher(own).closed_by() == 4404
    with watch(world, "source=nowhere", **login(), Origin="https://evil.example") as foreign:
        assert Watcher(foreign).closed_by() == 1008
    for path in ("stream/start", "stream/stop", "cameras"):
        posted = ask(
            world,
            "app",
            user="eva",
            password=PASSWORD,
            path=f"/api/v1/{path}",
            method="POST",
            origin="https://evil.example",
            json={},
        )
        assert posted.status == 403, posted.data


def posted(world: World, path: str, **body: str) -> dict[str, Any]:
    answer = ask(
        world,
        "app",
        user="eva",
        password=PASSWORD,
        path=f"/api/v1/{path}",
        method="POST",
        origin=f"https://app.{DOMAIN}",
        json=body,
    )
    assert answer.status in (200, 201, 202), answer.data
    said: dict[str, Any] = answer.json()
    return said


def test_a_stream_is_started_and_watched_through_traefik_and_counts_as_a_run_of_its_file(
    world: World, tmp_path: Path
) -> None:
    """Its viewer stays during the pause, longer than the minute after which Traefik would end a request."""
    stack = world.stack
    clip = tmp_path / "streamed.mp4"
    traffic = (stack.stack / "footage" / "traffic.mp4").read_bytes()
    clip.write_bytes(traffic + (24).to_bytes(4, "big") + b"free" + bytes(16))  # of other content
    stack.kill("worker")  # so that its counts come from its stream
    try:
        pieces, _ = form_of(clip.read_bytes(), 0, source="Streamed", start_time=f"{STREAMED}T08:00:00Z")
        url = f"https://app.{DOMAIN}/api/v1/videos/upload"
        video_id = send_form(url, pieces, over_s=0, ca_certs=str(world.root_file))["id"]
        stream = posted(world, "stream/start", video_id=video_id)
        here = f"streams/{stream['stream_id']}"
        posted(world, f"{here}/pause")
        with watch(world, stream["websocket"].partition("?")[2], **login()) as socket:
            watcher = Watcher(socket)
            watcher.state(lambda told: told["state"] == "paused")
            until_s = time.monotonic() + 65.0
            while time.monotonic() < until_s:
                watcher.state()
            posted(world, f"{here}/resume")
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    if isinstance(one := watcher.next(), Shown):
                        watcher.ack(one)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000
        assert watcher.states[-1]["state"] == "ended"
        embedded = count_embedded(clip, tmp_path, *STREAMED_FILM)
        wait_until(lambda: counted_on(world, STREAMED) == frames_of(embedded), stack)
    finally:
        stack.start("worker")
    with (
        closing(open_store(stack)) as ours,
        closing(open_object_store(f"file://{embedded}/store")) as expected,
    ):
        of_stream = {name: data for name, data in part_files(ours).items() if f"/{STREAMED}/" in name}
        assert of_stream == part_files(expected) != {}
        assert len(watcher.frames) > 2, "more than come without an acknowledgement"
        assert any(one.header["boxes"] for one in watcher.frames)
        for one in watcher.frames:
            assert one.jpeg == ours.get(one.header["image_path"])
    stack.wait_healthy("worker")


def counted_on(world: World, day: str) -> int:
    with closing(open_store(world.stack)) as store:
        return sum(run.frames for run in current_runs(store) if run.day == day)


def test_a_long_upload_and_a_large_one_pass_through_traefik_and_are_processed(
    world: World, long_upload: Future[tuple[str, int]]
) -> None:
    """By default Traefik ends a request after 60 s; the dashboard's /tmp has a gigabyte."""

    def is_worked_on(video_id: str) -> bool:
        shown = ask(world, "app", user="eva", password=PASSWORD, path=f"/api/v1/videos/{video_id}").json()
        assert shown["state"] != "failed", shown
        announced: int | None = shown["frames"]["announced"]
        return announced is not None and announced == shown["frames"]["expected"]

    told_before = told_by_rabbitmq(world)
    for video_id, size in (long_upload.result(), upload(world, padding=1_100_000_000)):
        with closing(open_store(world.stack)) as store:
            stored = store.head(keys.original_key(video_id))
            assert stored.size_bytes == size
        wait_until(partial(is_worked_on, video_id), world.stack)
    # A worker without messages would take the job from the catalogue: this one got a message.
    wait_until(lambda: told_by_rabbitmq(world) > told_before, world.stack)


def told_by_rabbitmq(world: World) -> int:
    """How many messages of jobs with frames have been acknowledged by workers."""
    shown = ask(world, "rabbitmq", user="eva", password=PASSWORD, path="/api/queues/%2F/frames").json()
    number: int = shown.get("message_stats", {}).get("ack", 0)
    return number


def test_a_camera_is_added_watched_and_removed_through_traefik(world: World) -> None:
    def sizes_px() -> Iterator[tuple[int, int]]:
        while True:
            yield 320, 240

    here = "/api/v1/cameras/gate"
    with Speaker(motion_jpeg(sizes_px(), pause_s=0.2)) as camera:
        address = f"http://127.0.0.1:{camera.port}/video"
        assert posted(world, "cameras", source="Gate", address=address)["source"] == "gate"
        with watch(world, "source=gate", **login()) as socket:
            watcher = Watcher(socket)
            for _ in range(5):
                watcher.ack(watcher.frame())
        shown = ask(world, "app", user="eva", password=PASSWORD, path="/api/v1/cameras").json()
        assert [one["state"] for one in shown["cameras"]] == ["running"]
        posted(world, "cameras/gate/stop")

        def is_removed() -> bool:
            status = ask(world, "app", user="eva", password=PASSWORD, path=here, method="DELETE").status
            assert status in (204, 409)
            return status == 204

        wait_until(is_removed, world.stack)
    assert [one.header["width_px"] for one in watcher.frames] == [320] * len(watcher.frames)
