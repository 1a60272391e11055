"""Replacements for third-party images, under their tags, for machines that cannot reach a registry.

Each is a Debian from `debootstrap` with the image's programs, from the servers' cache or from Debian. They
test our Dockerfile and compose file, the rights, the networks, the health checks and the product; not the
vendors' images. They contain this machine's access to its package indices: its certificates, pip's and npm's
files, and their variables.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import native_stack
import server_acme
import server_elasticsearch
import server_kafka
import server_traefik
from compose_file import compose_file, required_variables
from dockerfile import targets
from serving.downloads import cache_folder, debian, made_once, maven_file

PEBBLE = "frametally-test-pebble"
_BASE = "frametally-test-debian:bookworm"
_HOST_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/root/.npmrc")
_HOST_VARIABLES = (
    *("PIP_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_REGISTRY"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
_JAVA_TRUST = "/etc/ssl/certs/java/cacerts"
_APT = "RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends"
_KAFKA_PROPERTIES = """\
#!/bin/bash
set -euo pipefail
mkdir -p /opt/kafka/config
env | grep '^KAFKA_' | grep -vE '^KAFKA_(OPTS|HEAP_OPTS)=' | while IFS='=' read -r name value; do
  name=${name#KAFKA_}; name=${name,,}; echo "${name//_/.}=$value"
done > /opt/kafka/config/server.properties
"""

Docker = Callable[..., str]
"""Run `docker` with these arguments to the end; return its output, or raise if it fails."""


def names() -> dict[str, str]:
    """The image of each service, and of each first stage of the Dockerfile, by its tag."""
    services = compose_file(dict.fromkeys(required_variables(), "unused"))["services"]
    named = {name: service["image"] for name, service in services.items() if "build" not in service}
    stages = targets()
    named |= {name: target.base for name, target in stages.items() if target.base not in stages}
    return {name: image.partition("@")[0] for name, image in named.items()}


def build(docker: Docker, folder: Path) -> None:
    """Make all of them in the engine; existing ones take seconds.

    Args:
        docker: The engine.
        folder: An empty one for what goes into the images.

    Raises:
        ServerFailed: A program is not available.
    """
    native_stack.fetch()
    if _BASE not in docker("images", "--format", "{{.Repository}}:{{.Tag}}"):
        docker("import", str(_debian()), _BASE)
    images = names()
    _make(docker, folder / "python", images["base"], _with_host_settings(folder / "python") + _PYTHON)
    contents = {"jars": _maven, "kafka": _kafka, "elasticsearch": _elasticsearch, "postgres": _postgres}
    for name, content in (contents | {"traefik": _traefik, "rabbitmq": _rabbitmq}).items():
        _make(docker, folder / name, images[name], f"FROM {images['base']}\n" + content(folder / name))


def build_pebble(docker: Docker, folder: Path) -> None:
    """Make the image of Let's Encrypt's test server, based on the base image of the product's."""
    folder.mkdir(parents=True)
    shutil.copy(server_acme.install(cache_folder())[0], folder)
    text = 'COPY pebble /usr/local/bin/\nUSER 1000:1000\nENTRYPOINT ["pebble"]\n'
    _make(docker, folder, PEBBLE, f"FROM {names()['base']}\n{text}")


def _make(docker: Docker, folder: Path, image: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text(text, encoding="utf-8")
    docker("build", "--quiet", "--network=host", "--tag", image, str(folder))


def _debian() -> Path:
    """A Debian file system, made by `debootstrap`."""
    debian("debootstrap", ["debootstrap"])
    packages = "python3,python3-venv,ca-certificates,curl"
    with made_once(cache_folder(), "debian-bookworm") as fresh:
        if fresh is not None:
            root = fresh / "root"
            command = ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["tar", "-C", root, "-cf", fresh / "root.tar", "."], check=True)
            shutil.rmtree(root)
    return cache_folder() / "debian-bookworm" / "root.tar"


_PYTHON = f"""\
{_APT} python3-pip && rm /usr/lib/python3*/EXTERNALLY-MANAGED
RUN ln -s /usr/bin/python3 /usr/local/bin/python
CMD ["python"]
"""


def _with_host_settings(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"FROM {_BASE}", "ENV LANG=C.UTF-8"]
    for path in map(Path, _HOST_FILES):
        if path.is_file():
            shutil.copy(path, folder / path.name)
            lines.append(f"COPY {path.name} {path}")
    lines += [
        f"ENV {name}={shlex.quote(os.environ[name])}" for name in _HOST_VARIABLES if os.environ.get(name)
    ]
    return "\n".join(lines) + "\n"


def _maven(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    text = f"{_APT} openjdk-17-jdk-headless maven\n"
    if Path(_JAVA_TRUST).is_file():
        shutil.copy(_JAVA_TRUST, folder)
        text += f"COPY cacerts {_JAVA_TRUST}\n"
    return text


def _script(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "entry").write_text("#!/bin/bash\n" + text, encoding="utf-8")
    (folder / "entry").chmod(0o755)


def _kafka(folder: Path) -> str:
    _script(folder, _KAFKA_PROPERTIES + native_stack.KAFKA.format(java=native_stack.JAVA))
    shutil.copytree(server_kafka.install(cache_folder()), folder / "libs", dirs_exist_ok=True)
    return (
        f"{_APT} openjdk-17-jre-headless\n"
        "RUN install -d -o 1000 -g 1000 /var/lib/kafka/data /opt/kafka/config\n"
        "COPY libs /opt/kafka/libs\nCOPY entry /entry\n"
        'USER 1000:1000\nENTRYPOINT ["/entry"]\n'
    )


def _elasticsearch(folder: Path) -> str:
    # Environment variables with a dot in their name are Elasticsearch's settings.
    arguments = "set -- $(env | grep -E '^[a-z_.]+\\.[a-z_.]+=' | sed 's/^/-E/')\n"
    _script(folder, arguments + native_stack.ELASTICSEARCH)
    archive = maven_file(cache_folder(), server_elasticsearch._ARTIFACT, server_elasticsearch._SHA256)
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)
    home = folder / f"elasticsearch-{server_elasticsearch.VERSION}"
    for program in (home / "bin").iterdir():
        program.chmod(0o755)
    settings = "cluster.name: docker-cluster\nnetwork.host: 0.0.0.0\n"  # the image's own
    (home / "config" / "elasticsearch.yml").write_text(settings, encoding="utf-8")
    (home / "data").mkdir(exist_ok=True)
    return (
        f"{_APT} openjdk-17-jre-headless\n"
        f"ENV ES_JAVA_HOME={native_stack.JAVA}\n"
        f"COPY --chown=1000:0 {home.name} /usr/share/elasticsearch\nCOPY entry /entry\n"
        'USER 1000:0\nENTRYPOINT ["/entry"]\n'
    )


def _postgres(folder: Path) -> str:
    _script(folder, native_stack.POSTGRES)
    return (
        "RUN groupadd --gid 999 postgres && useradd --uid 999 --gid 999 --home-dir /tmp postgres\n"
        f"{_APT} postgresql\n"
        "RUN ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/"
        " && install -d -o 999 -g 999 /var/lib/postgresql/data\n"
        'ENV PGDATA=/var/lib/postgresql/data\nCOPY entry /entry\nUSER 999:999\nENTRYPOINT ["/entry"]\n'
        "STOPSIGNAL SIGINT\n"
    )


def _traefik(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(server_traefik.install(cache_folder()), folder)
    return 'COPY traefik /usr/local/bin/\nENTRYPOINT ["traefik"]\n'


def _rabbitmq(folder: Path) -> str:
    _script(folder, native_stack.RABBITMQ)
    return (
        f"{_APT} rabbitmq-server\n"
        "RUN echo '[rabbitmq_management].' > /etc/rabbitmq/enabled_plugins"
        # The package creates a cookie that only its user may read.
        " && rm -rf /var/lib/rabbitmq && install -d -m 1777 /var/lib/rabbitmq /var/log/rabbitmq"
        " && chmod -R a+rX /etc/rabbitmq\n"
        "ENV HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-\n"
        'COPY entry /entry\nUSER 1000:1000\nENTRYPOINT ["/entry"]\n'
    )
