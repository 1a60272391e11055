"""Trusted certificates: the system's authorities, and those of `FRAMETALLY_CA_FILE`."""

from __future__ import annotations

import ssl
from pathlib import Path

from frametally.errors import Misconfigured


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return a client's context that trusts the system's authorities and those of `ca_file`.

    Raises:
        Misconfigured: The file cannot be read.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(str(ca_file))
        except OSError as error:
            raise Misconfigured(
                f"FRAMETALLY_CA_FILE={ca_file}: {error.strerror or error}; set it to a PEM file"
            ) from error
    return context
