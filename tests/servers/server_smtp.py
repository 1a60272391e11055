"""Exim from Debian: a mail server on loopback that accepts mail only with TLS and a password, into
one file."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import trustme
from serving.downloads import debian, no_service_started
from serving.place import Place, answers
from serving.processes import NOBODY

_PROGRAM = Path("/usr/sbin/exim4")
_USER = "frametally@example.org"
# `$auth2` is the name and `$auth3` the password; accepted mail is kept, and not forwarded.
_CONFIGURATION = """\
primary_hostname = mail.example.org
exim_user = OWNER
exim_group = GROUP
spool_directory = FOLDER/spool
log_file_path = FOLDER/exim.%slog
pid_file_path = FOLDER/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = PORT : TLS_ONLY
tls_on_connect_ports = TLS_ONLY
tls_advertise_hosts = *
tls_certificate = FOLDER/server.pem
tls_privatekey = FOLDER/server.pem
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
deliver_drop_privilege = true
acl_smtp_rcpt = recipient
acl_smtp_data = accept
begin acl
recipient:
  deny message = no such person
       local_parts = nobody
  accept encrypted = *
         authenticated = *
  deny message = log in by TLS first
begin routers
all:
  driver = accept
  transport = kept
begin transports
kept:
  driver = appendfile
  file = FOLDER/mails
  user = OWNER
  group = GROUP
  mode = 0644
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_advertise_condition = ${if def:tls_in_cipher}
  server_condition = ${if and{{eq{$auth2}{USER}}{eq{$auth3}{PASSWORD}}}}
  server_set_id = $auth2
"""


def start(place: Place) -> dict[str, str]:
    """Start it; mail to `nobody@...` is refused."""
    install(place.cache)
    folder, port, tls_only = place.folder, place.port(), place.port("tls")
    # As a user other than root it runs without any rights, and delivers to a file of that user.
    is_root = os.geteuid() == 0
    owner = pwd.getpwuid(NOBODY if is_root else os.geteuid()).pw_name
    group = grp.getgrgid(NOBODY if is_root else os.getegid()).gr_name
    own = folder / "own"
    own.mkdir(exist_ok=True)
    authority, keys = folder / "ca.pem", own / "server.pem"
    if not keys.is_file():
        issuer = trustme.CA()
        issuer.cert_pem.write_to_path(str(authority))
        issuer.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(keys))
        keys.chmod(0o600)
    text = _CONFIGURATION
    for name, value in (
        ("TLS_ONLY", str(tls_only)),
        ("PORT", str(port)),
        ("FOLDER", str(own)),
        ("OWNER", owner),
        ("GROUP", group),
        ("USER", _USER),
        ("PASSWORD", place.secret("password")),
    ):
        text = text.replace(name, value)
    configuration = own / "exim.conf"
    configuration.write_text(text, encoding="utf-8")
    configuration.chmod(0o600)
    place.give_to_nobody(own)
    server = place.spawn([_PROGRAM, "-C", configuration, "-bdf"], unprivileged=True)
    place.wait_until(lambda: answers(port) and answers(tls_only), process=server)
    return {
        "FRAMETALLY_TEST_SMTP_URL": f"smtp://127.0.0.1:{port}",
        "FRAMETALLY_TEST_SMTP_TLS_URL": f"smtps://127.0.0.1:{tls_only}",
        "FRAMETALLY_TEST_SMTP_USER": _USER,
        "FRAMETALLY_TEST_SMTP_PASSWORD": place.secret("password"),
        "FRAMETALLY_TEST_SMTP_CA_FILE": str(authority),
        "FRAMETALLY_TEST_SMTP_MAILS": str(own / "mails"),
    }


def install(cache: Path) -> None:
    """Install its program without a service."""
    del cache
    if not _PROGRAM.exists():
        with no_service_started("exim4-daemon-light"):
            debian("", ["exim4-daemon-light"], found=[_PROGRAM])
