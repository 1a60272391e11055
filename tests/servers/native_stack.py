"""The whole stack of the compose file, native: each service as `native_container` runs it, in one network.

What is replaced, and nothing else: Traefik's ports by those that the compose file publishes them on, Let's
Encrypt's address by Pebble's, a service's name is this machine's in /etc/hosts, and an image is its program
from the servers' cache (Kafka, Elasticsearch, PostgreSQL, Traefik) or from this checkout (the product).
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import server_acme
import server_elasticsearch
import server_kafka
import server_postgres
import server_rabbitmq
import server_s3
import server_traefik
from compose_file import STACK, compose_file
from dockerfile import targets
from in_namespace import NAMES
from native_container import REPOSITORY, Container, run_inside, start
from serving.downloads import cache_folder, made_once
from serving.processes import ServerFailed, last_lines

from frametally.files.demo_clip import ensure_demo_clip
from frametally.settings.loading import load_settings
from frametally_models.files import chosen_model_files

_VENV = Path(sys.prefix)
_NOT_PROPERTIES = {"KAFKA_OPTS", "KAFKA_HEAP_OPTS"}
JAVA = "/usr/lib/jvm/java-17-openjdk-amd64"

# The work of the images' entry points, according to their documentation.
KAFKA = """\
set -euo pipefail
java="{java}/bin/java"
properties=/opt/kafka/config/server.properties
if [ ! -e /var/lib/kafka/data/meta.properties ]; then
  "$java" -cp "/opt/kafka/libs/*" kafka.tools.StorageTool format -t 5L6g3nShT-eMCtK--X86sw -c $properties
fi
exec "$java" $KAFKA_HEAP_OPTS $KAFKA_OPTS -XX:+UseSerialGC -cp "/opt/kafka/libs/*" kafka.Kafka $properties
"""
ELASTICSEARCH = """\
set -euo pipefail
cd /usr/share/elasticsearch
[ -e config/elasticsearch.keystore ] || bin/elasticsearch-keystore create -s
printf %s "$ELASTIC_PASSWORD" | bin/elasticsearch-keystore add -f -x bootstrap.password
exec bin/elasticsearch "$@"
"""
POSTGRES = """\
set -euo pipefail
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  printf '%s\\n' "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=/tmp/password $POSTGRES_INITDB_ARGS
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=" -w start
  createdb -U "$POSTGRES_USER" -h /var/run/postgresql "$POSTGRES_DB"
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec postgres -D "$PGDATA" -c listen_addresses='*'
"""
# Erlang's port mapper, which the image leaves running, ends with it here as it does in a container.
RABBITMQ = """\
set -euo pipefail
epmd -address 127.0.0.1 &
exec /usr/lib/rabbitmq/bin/rabbitmq-server
"""


_USERS = (
    "postgres:x:999:999::/tmp:/bin/sh kafka:x:1000:1000::/tmp:/bin/sh frametally:x:10001:10001::/tmp:/bin/sh"
)
_PREPARE = f"""\
for line in {_USERS}; do
  chroot $ROOT getent passwd "$(echo $line | cut -d: -f3)" >/dev/null || echo $line >> $ROOT/etc/passwd
done
ln -sfn {JAVA} $ROOT/usr/lib/jvm/default-java
"""
# The same as in the image with the management page.
_RABBITMQ_PLUGINS = """\
mkdir -p $ROOT/etc/rabbitmq
rm -rf $ROOT/etc/rabbitmq/*
echo '[rabbitmq_management].' > $ROOT/etc/rabbitmq/enabled_plugins
chmod -R a+rX $ROOT/etc/rabbitmq
"""


def fetch() -> None:
    """Fetch everything that the stack needs from outside: its network has no internet access."""
    cache = cache_folder()
    for module in (
        server_traefik,
        server_acme,
        server_kafka,
        server_s3,
        server_elasticsearch,
        server_postgres,
        server_rabbitmq,
    ):
        module.install(cache)
    hadoop_image()
    ensure_demo_clip(REPOSITORY / "demo-data")
    chosen_model_files(load_settings("consumer", detector="opencv"))


def hadoop_image() -> Path:
    """`/opt/hadoop` of the image, by the commands of the Dockerfile, except for files of the checkout."""
    pom = STACK / "hadoop" / "pom.xml"
    with made_once(
        cache_folder(), f"hadoop-image-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    ) as fresh:
        if fresh is not None:
            for command in targets()["jars"].run:
                here = command.replace("/hadoop/pom.xml", str(pom)).replace("/opt/hadoop", str(fresh))
                subprocess.run(["bash", "-c", here], check=True)
            [pages] = (fresh / "pages").glob("*.jar")
            with zipfile.ZipFile(pages) as archive:
                archive.extractall(
                    fresh, [name for name in archive.namelist() if name.startswith("webapps/")]
                )
    return cache_folder() / f"hadoop-image-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"


class NativeStack:
    """The services of one stack. A context: at its end everything is stopped."""

    def __init__(self, folder: Path, stack: Path, variables: Mapping[str, str]) -> None:
        """Starts nothing yet.

        Args:
            folder: Where volumes and logs go.
            stack: A copy of `cloud-services`, set up.
            variables: What its `.env` says.
        """
        self.folder = folder
        self.stack = stack
        self.variables = dict(variables)
        self.services: dict[str, dict[str, Any]] = compose_file(variables)["services"]
        self.extra: dict[str, dict[str, str]] = {}
        self.binds: dict[str, dict[str, Path]] = {}
        self._metrics_ports = itertools.count(9464)
        self._targets = targets()
        self._running: dict[str, tuple[Container, subprocess.Popen[bytes]]] = {}
        (folder / "logs").mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> NativeStack:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything, the youngest first; kill services that take longer than 5 s."""
        processes = [process for _, process in reversed(self._running.values())]
        for process in processes:
            _signal(process, signal.SIGTERM)
        by_s = time.monotonic() + 5
        for process in processes:
            try:
                process.wait(timeout=max(0.1, by_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
        self._running.clear()

    @property
    def hosts(self) -> str:
        """Every service's name and every name of the domain resolves to this machine."""
        domain = self.variables["FRAMETALLY_DOMAIN"]
        names = [os.uname().nodename, *self.services, *(f"{name}.{domain}" for name in NAMES)]
        return f"127.0.0.1 localhost {' '.join(names)}\n"

    def log(self, instance: str) -> Path:
        """The file for the output of a service."""
        return self.folder / "logs" / f"{instance}.log"

    def start(self, name: str, *arguments: str, instance: str = "") -> str:
        """Start a service; with arguments in place of its command, as `docker-compose run` takes them.

        Returns:
            Its name, or `instance`.
        """
        instance = instance or name
        container = self._container(name, arguments)
        scratch = self.folder / "containers" / instance
        self._running[instance] = container, start(container, scratch, self.log(instance))
        return instance

    def wait_healthy(self, *names: str, timeout_s: float = 240) -> None:
        """Wait until each service's own health check passes.

        Raises:
            ServerFailed: One ended, or takes too long; with the last lines of its log.
        """
        by_s = time.monotonic() + timeout_s
        for name in names:
            container, process = self._running[name]
            kind, *words = self.services[name]["healthcheck"]["test"]
            command = ["sh", "-c", words[0]] if kind == "CMD-SHELL" else words
            while not _succeeds(container, process.pid, command):
                for other, code in self.ended().items():
                    raise ServerFailed(f"{other} ended with {code}\n{last_lines(self.log(other), 40)}")
                if time.monotonic() > by_s:
                    raise ServerFailed(f"{name} is not well\n{last_lines(self.log(name), 40)}")
                time.sleep(0.3)

    def finish(self, instance: str, timeout_s: float = 240) -> int:
        """Wait for a service that ends by itself; return its exit code."""
        return self._running.pop(instance)[1].wait(timeout=timeout_s)

    def run(self, name: str, *arguments: str, timeout_s: float = 240) -> tuple[int, str]:
        """Run a service with arguments to its end; return exit code and output."""
        instance = self.start(
            name, *arguments, instance=f"{name}-run-{len(list(self.folder.glob('logs/*')))}"
        )
        code = self.finish(instance, timeout_s)
        return code, self.log(instance).read_text(encoding="utf-8", errors="replace")

    def execute(
        self, instance: str, *command: str, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """A program next to a running service, as with `docker-compose exec`."""
        container, process = self._running[instance]
        return run_inside(container, process.pid, command, timeout_s=timeout_s)

    def kill(self, instance: str) -> None:
        """SIGKILL, like a crash."""
        _, process = self._running.pop(instance)
        _signal(process, signal.SIGKILL)
        process.wait()

    def ended(self) -> dict[str, int]:
        """Started services that have ended unasked, with exit codes."""
        codes = {name: process.poll() for name, (_, process) in self._running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    # How a service becomes a process.

    def _container(self, name: str, arguments: Sequence[str]) -> Container:
        service = self.services[name]
        user = str(service["user"])
        binds = {}
        for volume in service.get("volumes", []):
            source, target, *how = volume.split(":")
            suffix = ":ro" if how else ""
            binds[target + suffix] = self._source(source, user)
        environment = {key: str(value) for key, value in (service.get("environment") or {}).items()}
        command = list(service.get("command") or [])
        prepare = _PREPARE
        if "build" in service:
            target = self._targets[service["build"]["target"]]
            environment = target.environment | environment
            command = list(service.get("entrypoint") or []) + (list(arguments) or command or target.command)
            binds = {"/opt/frametally:ro": _VENV} | binds
            if "hadoop" in (service["build"]["target"], target.base):
                binds |= self._hadoop_files()
            if name == "store":
                binds["/usr/local/bin/weed:ro"] = server_s3.install(cache_folder())
        elif name == "traefik":
            binds["/usr/local/bin/traefik:ro"] = server_traefik.install(cache_folder())
            command = ["traefik"]
            environment |= self._published(service)
        elif name == "kafka":
            binds["/opt/kafka/libs:ro"] = server_kafka.install(cache_folder())
            prepare += self._kafka_properties(environment)
            command = ["bash", "-c", KAFKA.format(java=JAVA)]
        elif name == "elasticsearch":
            home = self._elasticsearch_home(user)
            binds = {"/usr/share/elasticsearch": home} | binds
            command = ["bash", "-c", ELASTICSEARCH, "elasticsearch"]
            command += [f"-E{key}={value}" for key, value in environment.items() if "." in key]
            environment = {key: value for key, value in environment.items() if "." not in key}
            environment |= {"ES_JAVA_HOME": JAVA}
        elif name == "postgres":
            programs = server_postgres.install(cache_folder())
            environment |= {"PGDATA": "/var/lib/postgresql/data", "PATH": f"{programs}:/usr/bin:/bin"}
            command = ["bash", "-c", POSTGRES]
        elif name == "rabbitmq":
            environment |= {"HOME": "/var/lib/rabbitmq", "RABBITMQ_LOGS": "-", "RABBITMQ_LOG_BASE": "/tmp"}  # noqa: S108
            environment |= {"RABBITMQ_CONFIG_FILE": "/etc/rabbitmq/rabbitmq"}
            prepare += _RABBITMQ_PLUGINS
            command = ["bash", "-c", RABBITMQ]
        return Container(
            command=command,
            # In containers they all have the same port; here they share a network.
            environment=environment
            | {"FRAMETALLY_METRICS_ADDRESS": f"0.0.0.0:{next(self._metrics_ports)}"}
            | self.extra.get(name, {}),
            user=user,
            binds=binds | self.binds.get(name, {}),
            tmpfs=service.get("tmpfs", []),
            read_only=bool(service.get("read_only")),
            hosts=self.hosts,
            prepare=prepare,
            workdir="/data" if "/data" in binds else "/",
        )

    def _source(self, source: str, user: str) -> Path:
        if source.startswith("."):
            return self.stack / source
        return self.volume(source, user)

    def volume(self, source: str, user: str) -> Path:
        """A named volume: like the folder of the image, it belongs to the service's user."""
        volume = self.folder / "volumes" / source
        if not volume.is_dir():
            volume.mkdir(parents=True)
            uid, gid = map(int, user.split(":"))
            os.chown(volume, uid, gid)
            volume.chmod(0o700)
        return volume

    def _published(self, service: Mapping[str, Any]) -> dict[str, str]:
        """Traefik's entry points at the ports that the compose file publishes."""
        ports = dict(reversed(entry.split(":")) for entry in service["ports"])
        return {
            key: f":{ports[value[1:]]}"
            for key, value in service["environment"].items()
            if key.startswith("TRAEFIK_ENTRYPOINTS_") and key.endswith("_ADDRESS") and value[1:] in ports
        }

    def _kafka_properties(self, environment: Mapping[str, str]) -> str:
        lines = [
            f"{key.removeprefix('KAFKA_').lower().replace('_', '.')}={value}"
            for key, value in environment.items()
            if key.startswith("KAFKA_") and key not in _NOT_PROPERTIES
        ]
        text = "\\n".join(lines)
        folder = "$ROOT/opt/kafka/config"
        return f"mkdir -p {folder}; printf {shlex.quote(text)} > {folder}/server.properties\n"

    def _elasticsearch_home(self, user: str) -> Path:
        name = f"elasticsearch-{server_elasticsearch.VERSION}"
        home = self.folder / "images" / name
        if not home.is_dir():
            archive = server_elasticsearch.install(cache_folder())
            with zipfile.ZipFile(archive) as files:
                files.extractall(home.parent)
            for program in (home / "bin").iterdir():
                program.chmod(0o755)
            (home / "data").mkdir(exist_ok=True)
            settings = "cluster.name: docker-cluster\nnetwork.host: 0.0.0.0\n"  # the image's own
            (home / "config" / "elasticsearch.yml").write_text(settings, encoding="utf-8")
            uid, gid = map(int, user.split(":"))
            for path in (home, *home.rglob("*")):
                os.chown(path, uid, gid)
        return home

    def _hadoop_files(self) -> dict[str, Path]:
        image, conf = hadoop_image(), self.folder / "images" / "hadoop-conf"
        if not conf.is_dir():
            shutil.copytree(self.stack / "hadoop" / "conf", conf)
            shutil.copytree(image / "webapps", conf / "webapps")
        scripts = {
            f"/usr/local/bin/{name}:ro": self.stack / "hadoop" / name for name in ("hadoop", "hadoop-node")
        }
        return {"/opt/hadoop/lib:ro": image / "lib", "/opt/hadoop/conf:ro": conf, **scripts}


def _succeeds(container: Container, pid: int, command: Sequence[str]) -> bool:
    """Whether a health check passes; a timeout on a busy machine counts as failure."""
    try:
        return run_inside(container, pid, command, timeout_s=60).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


if __name__ == "__main__":
    fetch()
