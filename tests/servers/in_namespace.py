"""`in_namespace.py COMMAND...`: runs a command in a separate network that only has the loopback interface.

Names below the test's domain are this machine there. The processes have a separate namespace as well:
children of the command end with it, and with this script, even if that is killed.

Needs root, `unshare` and `setpriv` (util-linux), and `ip` (Debian: iproute2).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

DOMAIN = "frametally.test"
NAMES = ("app", "elastic", "hadoop", "rabbitmq", "kafka")
INSIDE = "FRAMETALLY_STACK_NETWORK"
_ENTER = """\
ip link set lo up
# As container engines have it: who is not root may listen on 80 and 443, too.
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
mount --bind "$0" /etc/hosts
"$@"
exit "$?"
"""


def main() -> None:
    """Run the command, and exit with its code."""
    if os.geteuid() != 0:
        sys.exit("the stack runs in namespaces of its own, as several users: run this as root")
    hosts = Path(tempfile.gettempdir()) / f"frametally-hosts-{os.getpid()}"
    names = ["localhost", os.uname().nodename, *(f"{name}.{DOMAIN}" for name in NAMES)]
    hosts.write_text(f"127.0.0.1 {' '.join(names)}\n", encoding="utf-8")
    os.environ[INSIDE] = "1"
    network = ["--net", "--mount", "--propagation", "private"]
    processes = ["--pid", "--fork", "--kill-child", "--mount-proc"]
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches the command as well, which then ends
    try:
        unshare = ["setpriv", "--pdeathsig", "KILL", "unshare", *network, *processes]
        sys.exit(subprocess.call([*unshare, "bash", "-euc", _ENTER, str(hosts), *sys.argv[1:]]))
    finally:
        hosts.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
