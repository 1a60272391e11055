"""Elasticsearch: one node with security, the users of the roles that ship, as an unprivileged user.

The distribution is Elastic's own for integration tests: the real server with fewer modules. `GET /`, scripts,
`_delete_by_query`, ES|QL and others are not in it, so what works here works with a full server, too.
"""

from __future__ import annotations

import base64
import shutil
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import bcrypt
from serving.downloads import debian, maven_file
from serving.place import Place
from serving.processes import ServerFailed

VERSION = "8.19.21"
_SHA256 = "215d5f3dbf0609a149f6218a9e47b6ae2df34ebbff3c5754e35f15a5e5393c8a"
_ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
_ROLES = Path(__file__).resolve().parents[2] / "cloud-services" / "elasticsearch" / "roles.yml"
_SUPERUSER = "tests-superuser"
_USERS = {
    _SUPERUSER: ["superuser"],
    "frametally": ["frametally_setup", "frametally_indexer"],
    "frametally-setup": ["frametally_setup"],
    "frametally-indexer": ["frametally_indexer"],
    "frametally-dashboard": ["frametally_dashboard"],
}
_HEAP_MB = "384"


def start(place: Place) -> dict[str, str]:
    """Start it; a later start has the data again."""
    java = _java_home()
    heap_mb = place.options.get("heap_mb", _HEAP_MB)
    home = _unpacked(place)
    port = place.port()
    config, data, logs, scratch = (place.folder / name for name in ("config", "data", "logs", "tmp"))
    for folder in (config, logs, scratch):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(home / "config", config)
    (config / "elasticsearch.yml").write_text(
        "cluster.name: frametally-tests\n"
        "discovery.type: single-node\n"
        "network.host: 127.0.0.1\n"
        f"http.port: {port}\n"
        f"transport.port: {place.port('transport')}\n"
        f"path.data: {data}\n"
        f"path.logs: {logs}\n"
        "cluster.routing.allocation.disk.threshold_enabled: false\n"
        # Set explicitly, or the first start would turn on TLS by itself.
        "xpack.security.enabled: true\n",
        encoding="utf-8",
    )
    (config / "jvm.options.d").mkdir(exist_ok=True)
    (config / "jvm.options.d" / "tests.options").write_text(
        f"-Xms{heap_mb}m\n-Xmx{heap_mb}m\n-XX:-HeapDumpOnOutOfMemoryError\n"
        "-Xlog:disable\n-Xlog:all=warning:stderr\n"
        # Starts faster; measurements set the heap, as in a real deployment.
        + ("-XX:TieredStopAtLevel=1\n" if heap_mb == _HEAP_MB else ""),
        encoding="utf-8",
    )
    shutil.copy(_ROLES, config / "roles.yml")
    _write_users(place, config)
    place.give_to_nobody(place.folder, config, data, logs, scratch)
    environment = {
        "ES_JAVA_HOME": str(java),
        "ES_PATH_CONF": str(config),
        "ES_TMPDIR": str(scratch),
        "HOME": str(scratch),
    }
    process = place.spawn([home / "bin" / "elasticsearch"], env=environment, cwd=scratch, unprivileged=True)
    place.wait_until(lambda: _ready(place, port), process=process, timeout_s=240.0)
    values = {
        "URL": f"elasticsearch+http://127.0.0.1:{port}",
        "USER": "frametally",
        "PASSWORD": place.secret("frametally"),
        "HEAP_MB": heap_mb,
        "SUPERUSER": _SUPERUSER,
        "SUPERUSER_PASSWORD": place.secret(_SUPERUSER),
    }
    for user in _USERS:
        if user.startswith("frametally-"):
            values[f"{user.partition('-')[2].upper()}_PASSWORD"] = place.secret(user)
    return {f"FRAMETALLY_TEST_ELASTICSEARCH_{name}": value for name, value in values.items()}


def install(cache: Path) -> Path:
    """Install Java 17, and the packed distribution."""
    _java_home()
    return maven_file(cache, _ARTIFACT, _SHA256)


def _unpacked(place: Place) -> Path:
    home = place.folder / f"elasticsearch-{VERSION}"
    if not (home / "bin").is_dir():
        archive = install(place.cache)
        fresh = place.folder / "unpacking"
        shutil.rmtree(fresh, ignore_errors=True)
        with zipfile.ZipFile(archive) as files:
            files.extractall(fresh)
        for program in (fresh / home.name / "bin").iterdir():
            program.chmod(0o755)
        (fresh / home.name).rename(home)
    return home


def _java_home() -> Path:
    debian("", ["openjdk-17-jre-headless"], found=_java_homes())
    if not _java_homes():
        raise ServerFailed("elasticsearch: no Java 17; run: apt-get install openjdk-17-jre-headless")
    return _java_homes()[0]


def _java_homes() -> list[Path]:
    return [path.parents[1] for path in sorted(Path("/usr/lib/jvm").glob("java-17-openjdk-*/bin/java"))]


def _write_users(place: Place, config: Path) -> None:
    """The users in the format of Elasticsearch's tool, which needs a Java start for each."""
    names: dict[str, list[str]] = {}
    lines = []
    for user, roles in _USERS.items():
        hashed = bcrypt.hashpw(place.secret(user).encode(), bcrypt.gensalt(rounds=4, prefix=b"2a"))
        lines.append(f"{user}:{hashed.decode()}")
        for role in roles:
            names.setdefault(role, []).append(user)
    (config / "users").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (config / "users_roles").write_text(
        "".join(f"{role}:{','.join(users)}\n" for role, users in names.items()), encoding="utf-8"
    )


def _ready(place: Place, port: int) -> bool:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/_cluster/health?wait_for_status=yellow&timeout=1s"
    )
    login = f"{_SUPERUSER}:{place.secret(_SUPERUSER)}".encode()
    request.add_header("Authorization", f"Basic {base64.b64encode(login).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=5.0) as answer:  # noqa: S310 - http, as above
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False
