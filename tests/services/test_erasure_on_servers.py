"""An erased range is gone from a bucket, Elasticsearch and PostgreSQL, also if the erasure was killed."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import elasticsearch_indices
import postgres_schemas
import pytest
from psycopg import sql
from s3_bucket import S3Place, new_bucket_name, root_access
from serving.needs import server
from serving.state import with_user
from tests.capabilities import needs
from tests.commands import run_frametally, start_frametally
from tests.privacy.erased_footage import ERASED, KEPT, RANGE, START_MS, filmed

from frametally.backups import store_backup
from frametally.process import failpoints
from frametally_accounts.audit.book import AuditBook
from frametally_cli.bucket import set_up_store
from frametally_privacy.erasure_records import erasures

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

ERASE = ("privacy", "erase", "--source", "gate", *RANGE, "--yes")
KILLED_AT = ("erasure.noted", "forget.picture:30", "erasure.counted")


class Servers:
    """A bucket, an index and a schema of the test's own."""

    def __init__(self, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        bucket = S3Place(f"s3://{new_bucket_name()}/erased", root_access())
        set_up_store(bucket.url, bucket.access)
        index, index_access = stack.enter_context(elasticsearch_indices.fresh_alias())
        url, access = stack.enter_context(postgres_schemas.fresh_schema())
        self._alias = index.rpartition("/")[2]
        self._schema = url.rpartition("%3D")[2]
        database, password = with_user(url, access.user), access.password.get_secret_value()
        for name, value in {
            **bucket.environment(),
            "FRAMETALLY_INDEX_URL": index,
            "FRAMETALLY_INDEX_USER": index_access.user,
            "FRAMETALLY_INDEX_PASSWORD": index_access.password.get_secret_value(),
            "FRAMETALLY_LEDGER_URL": database,
            "FRAMETALLY_CATALOGUE_URL": database,
            "FRAMETALLY_GOLD_URL": database,
            "FRAMETALLY_LEDGER_PASSWORD": password,
            "FRAMETALLY_GOLD_PASSWORD": password,
            "FRAMETALLY_INTERVAL_S": "60",
        }.items():
            monkeypatch.setenv(name, value)

    def indexed(self) -> str:
        """Return all documents of the index as text."""
        with elasticsearch_indices.administration(server("elasticsearch")) as client:
            client.indices.refresh(index=self._alias)
            found = client.search(index=self._alias, size=10_000)
            assert found["hits"]["total"]["value"] < 10_000
            return json.dumps(found["hits"]["hits"])

    def tables(self) -> dict[str, str]:
        """Return all rows of the database's tables as text, by table: ledger, catalogue and gold."""
        with postgres_schemas.administration(server("postgres")) as connection:
            names = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [self._schema]
            ).fetchall()
            every_row = sql.SQL("SELECT * FROM {}")
            return {
                name: str(connection.execute(every_row.format(sql.Identifier(self._schema, name))).fetchall())
                for (name,) in names
            }


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack, monkeypatch)


@needs("privacy", "gold")
def test_a_killed_erasure_resumes_and_leaves_nothing_in_bucket_index_and_tables(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))
    with filmed(tmp_path) as footage:
        backup = store_backup(footage.store, b"a backup", START_MS)
        assert run_frametally("index", cwd=tmp_path).code == 0
        assert footage.holding(ERASED)
        assert ERASED in servers.indexed()
        in_gold = [name for name, rows in servers.tables().items() if ERASED in rows]
        assert in_gold
        for place in KILLED_AT:
            process = start_frametally(
                *ERASE, cwd=tmp_path, output=tmp_path, constants={}, **{failpoints.VARIABLE: place}
            )
            process.join(300)
            assert process.exitcode == -signal.SIGKILL, (tmp_path / "err").read_text()
        done = run_frametally(*ERASE, cwd=tmp_path)
        assert done.code == 0, done.err
        assert "finishing an interrupted erasure" in done.out
        assert backup in done.out
        (receipt,) = erasures(footage.store)
        assert receipt.ended_at_ms is not None and receipt.backups == (backup,)
        assert footage.holding(ERASED) == []
        assert footage.lost() == 0
        indexed, tables = servers.indexed(), servers.tables()
        assert ERASED not in indexed
        assert [name for name, rows in tables.items() if ERASED in rows] == []
        assert KEPT in indexed and all(KEPT in tables[name] for name in in_gold)
        settings = footage.settings
        with closing(AuditBook(settings.catalogue_url, settings.catalogue_access)) as book:
            targets = [change.entry.target for change in book.changes(50)[0]]
        assert any(receipt.id in target for target in targets)
