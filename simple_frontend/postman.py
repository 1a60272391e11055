#!/usr/bin/env python3
"""Writes the API's Postman collection from its endpoints: `python simple_frontend/postman.py`."""

from __future__ import annotations

import json
from pathlib import Path

from frametally_web.api.postman import collection

COLLECTION = Path(__file__).resolve().parents[1] / "docs" / "frametally.postman_collection.json"


def text() -> str:
    """Return the collection as it is written."""
    return json.dumps(collection(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    COLLECTION.write_text(text(), encoding="utf-8")
    print(COLLECTION)
