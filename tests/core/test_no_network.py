"""A process that has given up the network cannot connect anywhere, whatever its rights."""

import socket
import subprocess
import sys
import textwrap
from contextlib import closing

import pytest

NOBODY = 65534


def run(program: str) -> str:
    """Run a program in a process that first gives up the network; return its output."""
    begin = "import socket, errno\nfrom frametally.process.no_network import without_network\n"
    done = subprocess.run(
        [sys.executable, "-c", begin + textwrap.dedent(program)], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


TRY = """
def family(number):
    try:
        socket.socket(number, socket.SOCK_STREAM).close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "open"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")
def test_only_sockets_within_the_machine_can_be_opened() -> None:
    said = run(
        TRY
        + "before = family(socket.AF_INET)\n"
        + "print(before, without_network(may_keep=False) is None, family(socket.AF_INET),"
        + " family(socket.AF_INET6), family(socket.AF_PACKET),"
        + " family(socket.AF_VSOCK), family(socket.AF_UNIX))"
    )
    assert said == "open True EACCES EACCES EACCES EACCES open"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")
def test_no_process_can_take_priority_over_all_others() -> None:
    said = run(
        """
        import os
        def tried(act):
            try:
                act()
            except OSError as error:
                return errno.errorcode[error.errno]
            return "taken"
        first = os.sched_param(1)
        def both():
            return tried(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, first)), tried(
                lambda: os.sched_setparam(0, os.sched_param(0))
            )
        print(without_network(may_keep=False) is None, *both(), os.sched_getscheduler(0))
        """
    )
    assert said == "True EPERM EPERM 0"


def test_a_listening_server_cannot_be_reached() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        said = run(
            f"""
            without_network(may_keep=False)
            try:
                socket.create_connection(("127.0.0.1", {port}), timeout=5)
            except OSError as error:
                print(errno.errorcode[error.errno])
            """
        )
        assert said == "EACCES"
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()


def test_child_processes_and_all_threads_lose_the_network_too() -> None:
    said = run(
        TRY
        + textwrap.dedent(
            """
            import subprocess, sys, threading
            said = []
            go = threading.Event()
            before = threading.Thread(target=lambda: (go.wait(), said.append(family(socket.AF_INET))))
            before.start()
            without_network(may_keep=False)
            go.set()
            before.join()
            child = "import socket; socket.socket()"
            code = subprocess.run([sys.executable, "-c", child], stderr=subprocess.DEVNULL).returncode
            print(said[0], code)
            """
        )
    )
    assert said == "EACCES 1"


def test_an_already_open_connection_stays_open() -> None:
    said = run(
        """
        ours, theirs = socket.socketpair()
        without_network(may_keep=False)
        ours.sendall(b"still there")
        print(theirs.recv(100).decode())
        """
    )
    assert said == "still there"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")
def test_giving_up_the_network_needs_no_privilege() -> None:
    drop = f"import os\nif os.getuid() == 0: os.setuid({NOBODY})\n"
    assert run(drop + "print(os.getuid() != 0, without_network(may_keep=False))") == "True None"
