"""`in_namespace.py COMMAND...`: runs a command in a network of its own, with nothing in it but the loopback.

Names below the test's domain are this machine there. Needs root, `unshare`, and `ip` (Debian: iproute2).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

DOMAIN = "frametally.test"
NAMES = ("app", "elastic", "hadoop", "kafka")
INSIDE = "FRAMETALLY_STACK_NETWORK"
_ENTER = """\
ip link set lo up
# As container engines have it: who is not root may listen on 80 and 443, too.
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
mount --bind "$0" /etc/hosts
exec "$@"
"""


def main() -> None:
    """Become the command."""
    if os.geteuid() != 0:
        sys.exit("the stack runs in namespaces of its own, as several users: run this as root")
    hosts = Path(tempfile.gettempdir()) / f"frametally-hosts-{os.getpid()}"
    names = ["localhost", os.uname().nodename, *(f"{name}.{DOMAIN}" for name in NAMES)]
    hosts.write_text(f"127.0.0.1 {' '.join(names)}\n", encoding="utf-8")
    os.environ[INSIDE] = "1"
    unshare = ["unshare", "--net", "--mount", "--propagation", "private", "bash", "-euc", _ENTER, str(hosts)]
    os.execvp("unshare", [*unshare, *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
