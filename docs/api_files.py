"""Writes the API's documents for a release: `python docs/api_files.py FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from frametally_web.api.asyncapi import describe_messages
from frametally_web.api.description import collection
from frametally_web.api.openapi import describe


def write_documents(folder: Path) -> None:
    """Write the OpenAPI and AsyncAPI documents and the Postman collection into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = {
        "openapi.json": describe(),
        "asyncapi.json": describe_messages(),
        "frametally.postman_collection.json": collection(),
    }
    for name, document in documents.items():
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]))
