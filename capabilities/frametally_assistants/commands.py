"""`frametally mcp`: an MCP server for one assistant by stdin and stdout, or for several by HTTP."""

from __future__ import annotations

import socket

import click

from frametally.console import output as console
from frametally.errors import Misconfigured
from frametally_videos.commands.tus_client import Dashboard


@click.command()
@click.option("--url", default="http://127.0.0.1:5001", show_default=True, help="The dashboard to ask.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Serve HTTP at http://127.0.0.1:PORT/mcp; default: stdin and stdout.",
)
def mcp(url: str, port: int | None) -> int:
    """Answer questions of AI assistants about counts, by the Model Context Protocol. Read only.

    If the dashboard needs a password or a token, write it into ~/.netrc. With --port, each assistant sends
    its own token (Authorization: Bearer), and sees only the sources of that token.
    """
    try:
        from frametally_assistants.server import make_server, only_from_here
    except ImportError as error:
        raise Misconfigured("MCP's library is missing: run pip install 'frametally[assistants]'") from error
    Dashboard(url)
    server = make_server(url, is_shared=port is not None)
    if port is None:
        server.run("stdio")
    else:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            raise Misconfigured(
                f"--port {port} cannot be used ({error.strerror}): choose another one"
            ) from error
        console.out().print(f"MCP server at http://127.0.0.1:{port}/mcp, until Ctrl-C")
        server.run(
            "streamable-http",
            host="127.0.0.1",
            port=port,
            stateless_http=True,
            json_response=True,
            transport_security=only_from_here(port),
        )
    return 0
