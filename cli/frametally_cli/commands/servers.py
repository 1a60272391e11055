"""`frametally setup`, `cloud-setup` and `reach`: set up and check the stack on servers.

Every part of `setup` can be repeated at any time.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import click

from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, tables_line
from frametally.console import output as console
from frametally.console.options import data_dir_option, read_settings
from frametally.errors import Misconfigured
from frametally.plugins import hooks
from frametally.ports.frame_log import FrameLog, NoSuchTopic
from frametally.process.exit_codes import PART_DONE
from frametally.process.reports import plural
from frametally.rules.times import HOUR_S
from frametally.segments.results import RESULTS_KEEP_S
from frametally.settings.loading import Settings, component_folder
from frametally_cli.bucket import STAGES, missing_rights, set_up_store


def log_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Make missing topics of frames and results, with the set partitions, copies and retention.

    An existing topic keeps everything but its retention. Yields a line for each action; an embedded log needs
    nothing and yields none.

    Raises `Misconfigured` if the topic is missing and cannot be made, or Kafka cannot be used; `Retryable`.
    """
    if not settings.log_url.startswith("kafka://"):
        return
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        hours = settings.log_retention_h
        of_frames = (hours * HOUR_S, plural(hours, "hour")) if hours else None
        of_results = (RESULTS_KEEP_S, f"{RESULTS_KEEP_S:g} seconds")
        for topic, retention in (
            (settings.topic, of_frames),
            (settings.live_topic, of_frames),
            (settings.results_topic, of_results),
        ):
            yield from _set_up_topic(log, topic, settings, retention, check_only=check_only)


def _set_up_topic(
    log: FrameLog, topic: str, settings: Settings, retention: tuple[float, str] | None, *, check_only: bool
) -> Iterator[str]:
    """Make one topic; `retention` is in seconds and in words, None for the broker's default."""
    try:
        partitions = log.partitions(topic)
    except NoSuchTopic:
        if check_only:
            raise
        log.create_topic(topic, settings.log_partitions)
        partitions = log.partitions(topic)
        yield f"log: topic {topic!r} created, with {plural(partitions, 'partition')}"
    else:
        yield f"log: topic {topic!r} exists, with {plural(partitions, 'partition')}"
        if partitions != settings.log_partitions:
            yield (
                f"log: FRAMETALLY_LOG_PARTITIONS={settings.log_partitions} applies to new topics; "
                "use kafka-topics to add partitions to an existing one"
            )
    keep_for = getattr(log, "keep_for", None)
    if keep_for is not None and retention is not None and not check_only:
        keep_for(topic, retention[0])
        yield f"log: topic {topic!r} keeps messages for {retention[1]}"


def index_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the count index: its tables or mapping, and the rights of the configured user.

    Raises `Misconfigured` if a right is missing or another program owns the index; `Retryable`.
    """
    if settings.index_url.startswith("elasticsearch+"):
        yield from _elasticsearch(settings, stages, check_only)
    else:
        yield tables_line("index", settings.index_url, settings.index_access, open_count_index)


def ledger_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the ledger: its tables. Raises as `index_part` does."""
    yield tables_line("ledger", settings.ledger_url, settings.ledger_access, open_ledger)


def catalogue_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the catalogue: the tables of all capabilities. Raises as `index_part` does."""
    from frametally.adapters.sql.kept_books import KeptBooks

    yield tables_line("catalogue", settings.catalogue_url, settings.catalogue_access, KeptBooks)


def _elasticsearch(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    try:
        from frametally_search.index import search_access
    except ImportError as error:
        raise Misconfigured(
            f'the Elasticsearch client is not installed ({error}): run pip install "frametally[search]"'
        ) from error

    with closing(search_access.ElasticsearchCluster(settings.index_url, settings.index_access)) as cluster:
        for stage in stages:
            missing = search_access.missing_rights(cluster, stage) if stage in search_access.STAGES else []
            if missing:
                raise Misconfigured(
                    f"{cluster.name}: this user lacks permissions that the stage {stage} needs: "
                    f"{', '.join(missing)}; cloud-services/elasticsearch/roles.yml has a role that grants "
                    "all of them"
                )
            if stage in search_access.STAGES:
                yield f"index: this user has every permission that the stage {stage} needs"
        if not check_only:
            search_access.set_up(cluster)
        search_access.check(cluster)
        yield f"index: {cluster.name} has its template, its index {cluster.index} and its alias"


Part = Callable[[Settings, Sequence[str], bool], Iterator[str]]
"""Takes the settings, the stages to check and whether only to check; yields lines about its actions.

Raises `Misconfigured` for anything that a person must change.
"""


def store_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the S3 store: its bucket, its retention rules, and the rights of the configured key."""
    url, access = settings.store_url, settings.store_access
    if not check_only:
        yield from set_up_store(
            url, access, image_days=settings.store_image_days, metadata_days=settings.store_metadata_days
        )
    for stage in stages if url.startswith("s3://") else ():
        missing = missing_rights(url, access, stage)
        if missing:
            raise Misconfigured(
                f"{url}: this key lacks permissions that the stage {stage} needs: {', '.join(missing)}; "
                f"cloud-services/s3/{stage}.json is a policy that grants all of them"
            )
        yield f"store: the key has every permission that the stage {stage} needs"


PARTS: tuple[Part, ...] = (store_part, log_part, index_part, ledger_part, catalogue_part)


@click.command()
@click.option(
    "--stage",
    "stages",
    multiple=True,
    type=click.Choice(sorted(STAGES)),
    help="Check that your credentials have every permission that this stage needs; repeatable.",
)
@click.option(
    "--check", "check_only", is_flag=True, help="Only check; create nothing (default stage: admin)."
)
@data_dir_option
def setup(stages: tuple[str, ...], check_only: bool, **overrides: Any) -> int:
    """Create all that the servers need, such as the bucket, and check permissions; safe to repeat."""
    settings = read_settings(None, overrides, must_be_there=False)
    for part in (*PARTS, *hooks("setup")):
        for line in part(settings, stages or ("admin",), check_only):
            click.echo(line)
    return 0


_TIMEOUT_S = 5.0
_DEFAULT_PORTS = {"http": 80, "https": 443, "kafka": 9092, "postgresql": 5432, "amqp": 5672, "amqps": 5671}


class Server(NamedTuple):
    """A server that a setting names."""

    what: str
    host: str
    port: int


def named_servers(settings: Settings) -> Iterator[Server]:
    """Yield the servers of store, log, databases and queue; embedded parts have no server."""
    urls = {
        "store": settings.store_endpoint,
        "log": settings.log_url,
        "index": settings.index_url,
        "ledger": settings.ledger_url,
        "catalogue": settings.catalogue_url,
    }
    for urls_of in hooks("servers"):
        urls |= urls_of(settings)
    for what, url in urls.items():
        scheme, _, rest = url.partition("://")
        scheme = scheme.rpartition("+")[2]
        if scheme not in _DEFAULT_PORTS:
            continue
        addresses = rest.split("/")[0]
        if scheme == "kafka" and not addresses:
            from frametally.adapters.kafka.access import read_kafka_access  # its client is an extra

            yield from (
                Server(what, *server) for server in read_kafka_access(url, settings.log_access).servers
            )
        elif scheme == "postgresql" and (query := parse_qs(urlsplit(url).query)).get("host"):
            # A folder contains the server's socket, so there is no connection to try.
            addresses = ",".join(
                f"{host}:{query['port'][0]}" if "port" in query else host
                for host in query["host"][0].split(",")
                if not host.startswith("/")
            )
        for address in addresses.split(","):
            parts = urlsplit(f"//{address}")
            if parts.hostname:
                yield Server(what, parts.hostname, parts.port or _DEFAULT_PORTS[scheme])


def why_unreachable(server: Server) -> str:
    """Return a line with the problem and its remedy; empty if the server accepts a connection."""
    try:
        with socket.create_connection((server.host, server.port), timeout=_TIMEOUT_S):
            return ""
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        setting = f"FRAMETALLY_{server.what.upper()}_{'ENDPOINT' if server.what == 'store' else 'URL'}"
        return (
            f"the {server.what}'s server {server.host}:{server.port} cannot be reached ({reason}): check "
            f"that it is running, and that {setting} is right"
        )


_STORE = {
    "store_url": "FRAMETALLY_STORE_URL",
    "store_endpoint": "FRAMETALLY_STORE_ENDPOINT",
    "store_region": "AWS_REGION",
    "store_access_key": "FRAMETALLY_STORE_ACCESS_KEY",
}


@click.command("cloud-setup")
@click.option("--domain", default="", help="The stack's domain, such as counts.your-town.org.")
@click.option("--email", default="", help="Your e-mail address, for Let's Encrypt.")
@click.option("--user", default="", help="User of the web pages (default: admin).")
@click.option("--store-url", default="", help="The S3 bucket, such as s3://my-counts.")
@click.option("--store-endpoint", default="", help="URL of the S3 service; empty: AWS's.")
@click.option("--store-region", default="", help="Region of the bucket.")
@click.option("--store-access-key", default="", help="Name of the S3 key.")
@click.option("--bundled-store", is_flag=True, help="Run an S3 store in the stack instead.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="The stack's folder (default: cloud-services of the checkout).",
)
def cloud_setup(
    domain: str, email: str, user: str, bundled_store: bool, folder: Path | None, **store: str
) -> int:
    """Write .env, users, Kafka's passwords and the folder for certificates; keep existing ones.

    Secrets are generated, or come from FRAMETALLY_STORE_SECRET_KEY and FRAMETALLY_CLOUD_PASSWORD. On a
    terminal, this command asks for missing answers.
    """
    from frametally_cloud.stack_setup import Answers, set_up

    folder = folder or _stack_folder()
    variables = {variable: store[name] for name, variable in _STORE.items()}
    variables["FRAMETALLY_STORE_SECRET_KEY"] = os.environ.get("FRAMETALLY_STORE_SECRET_KEY", "")
    password = os.environ.get("FRAMETALLY_CLOUD_PASSWORD", "")
    new = not (folder / ".env").is_file()
    if new and sys.stdin.isatty():
        domain = domain or _ask("Domain, such as counts.your-town.org")
        email = email or _ask("Your e-mail address, for Let's Encrypt")
        if not variables["FRAMETALLY_STORE_URL"] and not bundled_store:
            variables["FRAMETALLY_STORE_URL"] = _ask(
                "S3 bucket, such as s3://my-counts (if empty, run a store here)"
            )
            bundled_store = not variables["FRAMETALLY_STORE_URL"]
        if not bundled_store:
            endpoint = "FRAMETALLY_STORE_ENDPOINT"
            variables[endpoint] = variables[endpoint] or _ask("URL of the S3 service (empty: AWS)")
            key = "FRAMETALLY_STORE_ACCESS_KEY"
            variables[key] = variables[key] or _ask("Name of the S3 key")
            key = "FRAMETALLY_STORE_SECRET_KEY"
            variables[key] = variables[key] or _ask("Secret of the S3 key", hide_input=True)
        user = user or click.prompt("User of the web pages", default="admin", err=True)
        password = password or _ask("Password (if empty, generate one)", hide_input=True)
    done = set_up(
        folder,
        Answers(
            domain=domain,
            email=email,
            user=user,
            password=password,
            store={name: value for name, value in variables.items() if value},
            bundled_store=bundled_store,
        ),
    )
    for verb, names in (("written", done.written), ("kept", done.kept)):
        for name in names:
            click.echo(f"{verb}: {folder / name}")
    for line in done.warnings:
        console.err().print(f"still to do: {line}")
    if "first-password" in done.written:
        click.echo(
            f"user name and password for the web pages: {folder / 'first-password'}; write them down, then "
            "delete this file"
        )
    click.echo(f"next: run cd {folder} && docker-compose up -d --build")
    return PART_DONE if done.warnings else 0


@click.command()
@data_dir_option
def reach(**overrides: Any) -> int:
    """Check that the servers in the settings can be reached, without signing in; exit with 0 or 2."""
    trouble = 0
    for server in named_servers(read_settings(None, overrides, must_be_there=False)):
        why = why_unreachable(server)
        if why:
            console.say_error(why)
            trouble = 2
        else:
            click.echo(f"{server.what}: {server.host}:{server.port} answers")
    return trouble


def _stack_folder() -> Path:
    beside = component_folder("producer")
    if beside is None:
        raise Misconfigured(
            "frametally cannot find the stack's folder; give it with --folder PATH/cloud-services"
        )
    return beside.parent / "cloud-services"


def _ask(question: str, *, hide_input: bool = False) -> str:
    answer: str = click.prompt(question, default="", show_default=False, hide_input=hide_input, err=True)
    return answer.strip()
