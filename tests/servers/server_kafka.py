"""Apache Kafka: one node, broker and controller in one, with a listener for every kind of log-in.

PUBLIC is the stack's, by the shipped log-ins. With the option `rights=stack` the broker refuses what it is
not told to allow, as in the stack; without it, what nobody is told anything about is everybody's.
"""

from __future__ import annotations

import datetime
import re
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from serving.downloads import debian, maven_jars
from serving.place import Place

VERSION = "4.3.1"
_POM = (
    "<dependencies>"
    f"<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>"
    f"<version>{VERSION}</version></dependency>"
    # Not needed to run; without it there is no log at all.
    "<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>"
    "<version>2.25.4</version></dependency>"
    "</dependencies>"
)
_JAAS = (
    Path(__file__).resolve().parents[2] / "cloud-services" / "kafka-jaas" / "kafka_server_jaas.conf.example"
)
_USER, _OTHER_USER = "frametally", "reader"
_ROLES = ("admin", "camera", "consumer", "dashboard")
_CERTIFICATE_YEARS = 10

_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{plaintext},CONTROLLER://127.0.0.1:{controller},\
SASL_PLAINTEXT://127.0.0.1:{sasl},SASL_SSL://127.0.0.1:{sasl_ssl},PUBLIC://127.0.0.1:{public}
advertised.listeners=PLAINTEXT://127.0.0.1:{plaintext},SASL_PLAINTEXT://127.0.0.1:{sasl},\
SASL_SSL://127.0.0.1:{sasl_ssl},PUBLIC://127.0.0.1:{public}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,\
SASL_SSL:SASL_SSL,PUBLIC:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.ssl.keystore.type=PEM
listener.name.sasl_ssl.ssl.keystore.location={folder}/server.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found={everyone}
super.users=User:ANONYMOUS;User:admin
log.dirs={folder}/data
auto.create.topics.enable=false
delete.topic.enable=true
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
# A restart after a kill -9 waits for this long; a broker that is starved for as long shuts itself out.
broker.session.timeout.ms={session_ms}
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=8388608
log.retention.check.interval.ms=1000
"""
_LOGGING = """
status=error
appender.o.type=Console
appender.o.name=O
appender.o.layout.type=PatternLayout
appender.o.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.o.ref=O
"""


def start(place: Place) -> dict[str, str]:
    """Start the node; its data, users and certificates persist over starts."""
    jars = install(place.cache)
    passwords = {name: place.secret(name) for name in (*_ROLES, _USER, _OTHER_USER)}
    _write_secret(place.folder / "jaas.conf", _with_passwords(_JAAS.read_text(encoding="utf-8"), passwords))
    if not (place.folder / "server.pem").is_file():
        _make_certificates(place.folder)
    ports = {name: place.port(name) for name in ("plaintext", "controller", "sasl", "sasl_ssl", "public")}
    properties = place.folder / "server.properties"
    properties.write_text(
        _PROPERTIES.format(
            folder=place.folder,
            session_ms=place.options.get("session_ms", "9000"),
            everyone="false" if place.options.get("rights") == "stack" else "true",
            **ports,
        ),
        encoding="utf-8",
    )
    logging = place.folder / "log4j2.properties"
    logging.write_text(_LOGGING, encoding="utf-8")
    java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={logging}"]
    if not (place.folder / "data" / "meta.properties").is_file():
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster.replace("-", "x"), "-c", str(properties)]
        place.run([*java, "-cp", f"{jars}/*", *tool])
    broker = place.spawn(
        [
            *("java", "-XX:+UseSerialGC", "-Xms128m", "-Xmx512m", "-Djava.net.preferIPv4Stack=true"),
            f"-Djava.security.auth.login.config={place.folder / 'jaas.conf'}",
            f"-Dlog4j2.configurationFile={logging}",
            *("-cp", f"{jars}/*", "kafka.Kafka", properties),
        ]
    )
    place.wait_until(
        lambda: b"Kafka Server started" in Path(broker.log).read_bytes(), process=broker, timeout_s=150
    )
    name = "FRAMETALLY_TEST_KAFKA"
    return {
        f"{name}_URL": f"kafka://127.0.0.1:{ports['plaintext']}",
        f"{name}_SASL_URL": f"kafka://127.0.0.1:{ports['sasl']}",
        f"{name}_SASL_SSL_URL": f"kafka://127.0.0.1:{ports['sasl_ssl']}",
        f"{name}_PUBLIC_URL": f"kafka://127.0.0.1:{ports['public']}",
        f"{name}_CA_FILE": str(place.folder / "ca.pem"),
        f"{name}_USER": _USER,
        f"{name}_PASSWORD": passwords[_USER],
        f"{name}_OTHER_USER": _OTHER_USER,
        f"{name}_OTHER_PASSWORD": passwords[_OTHER_USER],
        **{f"{name}_{role.upper()}_PASSWORD": passwords[role] for role in _ROLES},
    }


def install(cache: Path) -> Path:
    """Install Java, and the folder with Kafka's jars."""
    debian("java", ["openjdk-17-jre-headless"])
    return maven_jars(cache, f"kafka-{VERSION}", _POM)


def _with_passwords(example: str, passwords: dict[str, str]) -> str:
    """The example's users with these passwords, and one more user."""
    text = example
    for name in (*_ROLES, _USER):
        text, found = re.subn(f'"change-me-{name}"', f'"{passwords[name]}"', text)
        if not found:
            raise ValueError(f"{_JAAS.name} has no user {name}")
    return text.replace("  user_admin=", f'  user_{_OTHER_USER}="{passwords[_OTHER_USER]}"\n  user_admin=')


def _make_certificates(folder: Path) -> None:
    """A private authority, and the node's certificate and key in Kafka's format: PKCS 8, then the chain."""
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=365 * _CERTIFICATE_YEARS)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf = authority.issue_cert("127.0.0.1", "localhost", not_after=until)
    key = load_pem_private_key(leaf.private_key_pem.bytes(), password=None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    _write_secret(folder / "server.pem", (pem + chain).decode())


def _write_secret(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
