"""The commands of the pages about Kafka, S3 and PostgreSQL do on real servers what the pages say."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import takewhile
from pathlib import Path

import pytest
from postgres_schemas import fresh_schema
from s3_bucket import S3Place, new_bucket_name, root_access
from serving.needs import server
from tests.together.test_documents import Shell, commands, here, town

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]
__all__ = ["here", "town"]  # fixtures

Example = tuple[Mapping[str, str], Mapping[str, str]]
"""Settings of the test's server, and what stands for it in the page's examples."""


@contextmanager
def kafka() -> Iterator[Example]:
    topic = f"manual-{secrets.token_hex(4)}"
    yield {"FRAMETALLY_TOPIC": topic}, {r"kafka://\S+": server("kafka")["URL"]}


@contextmanager
def s3() -> Iterator[Example]:
    place = S3Place(f"s3://{new_bucket_name()}", root_access())
    own = place.environment()
    yield own, {r"s3://my-frames": place.url, r"https://fsn1\S+": own["FRAMETALLY_STORE_ENDPOINT"]}


@contextmanager
def postgres() -> Iterator[Example]:
    with fresh_schema() as (url, access):
        password = access.password.get_secret_value()
        own = {f"FRAMETALLY_{name}_PASSWORD": password for name in ("INDEX", "LEDGER")}
        host = url.partition("://")[2]
        yield (
            own,
            {
                r"postgresql://db\S+": f"postgresql://{host}",
                r"postgresql://frametally@db\S+": f"postgresql://{access.user}@{host}",
                "INDEX_USER=frametally": f"INDEX_USER={access.user}",
            },
        )


@pytest.mark.parametrize(
    ("page", "open_it"),
    [("docs/kafka.md", kafka), ("docs/object-store.md", s3), ("docs/count-index.md", postgres)],
)
def test_the_commands_on_a_page_about_a_server_do_what_it_says(
    page: str, open_it: Callable[[], AbstractContextManager[Example]], here: Path
) -> None:
    with open_it() as (settings, instead):
        shell = Shell(here)
        shell.env |= settings
        asked = [*takewhile(lambda command: "elasticsearch" not in command.text, commands(page))]
        assert any(" setup" in command.text for command in asked)
        for command in asked:
            text = command.text
            for pattern, words in instead.items():
                text = re.sub(pattern, words, text)
            shell.type(command._replace(text=text))
