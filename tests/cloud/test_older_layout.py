"""What users of the older pipeline look for: each line of the table leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from frametally.settings.loading import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "older-layout.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| `")
]
FILES = [row for row in ROWS if len(row) == 3]
SETTINGS = [row for row in ROWS if len(row) == 2]
# What the pipeline of old consisted of.
KNOWN = {
    *(
        f"{part}/requirements.txt"
        for part in ("producer", "consumer", "hadoop", "elasticsearch", "simple_frontend")
    ),
    *(f"{part}/.env" for part in ("producer", "consumer", "hadoop", "elasticsearch", "simple_frontend")),
    *("producer/main_producer.py", "producer/helpers/", "producer/new_pics/", "producer/extracted_frames/"),
    *("consumer/main_consumer.py", "consumer/helpers/", "consumer/helpers/download_models.py"),
    *("hadoop/object_counts.py", "hadoop/mapper.py", "hadoop/reducer.py"),
    "elasticsearch/index_hadoop_output.py",
    *("simple_frontend/app.py", "simple_frontend/templates/index.html"),
    *("simple_frontend/static/script.js", "simple_frontend/static/style.css"),
    *("cloud-services/docker-compose.yml", "cloud-services/.env", "cloud-services/traefik/traefik.yml"),
    *("cloud-services/traefik/auth/usersfile", "cloud-services/traefik/acme/acme.json"),
    "cloud-services/kafka-jaas/kafka_server_jaas.conf",
    *("README.md", "requirements.txt", ".env", "client.properties"),
}


@pytest.mark.parametrize("row", FILES, ids=lambda row: row[0].strip("`"))
def test_what_is_looked_for_exists_or_its_decision_stands_there(row: list[str]) -> None:
    before, now, why = row
    if now.startswith("decision: "):
        assert len(now) > len("decision: ")
        assert len(why) > 20
        return
    path = now.strip("`")
    found = ROOT / path
    assert found.is_dir() if path.endswith("/") else found.is_file()
    assert path == before.strip("`") or why


def test_nothing_that_people_knew_is_left_out() -> None:
    assert {row[0].strip("`") for row in FILES} >= KNOWN


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row[0])
def test_every_setting_that_is_named_there_is_one(row: list[str]) -> None:
    names = re.findall(r"FRAMETALLY_([A-Z_]+)", row[1])
    assert names
    assert {name.lower() for name in names} <= set(Settings.model_fields)
