"""Databases of earlier versions are upgraded in place, by one process, with all in them; newer are refused.

What an upgrade keeps is shown by layouts of the tests' own; what there is today, by the first release's.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    insert,
    inspect,
    select,
    text,
)
from tests.fakes.records import make_count, make_coverage, make_run
from tests.fakes.videos import make_facts, make_video

from frametally.adapters.sql import migration as sql_migration
from frametally.adapters.sql.access import accounts as sql_access
from frametally.adapters.sql.alerts import book as sql_alerts
from frametally.adapters.sql.audit import book as sql_audit
from frametally.adapters.sql.engine import Layout, SqlDatabase
from frametally.adapters.sql.gold import publication as sql_gold
from frametally.adapters.sql.index import counts as sql_index
from frametally.adapters.sql.ledger import cache as sql_ledger
from frametally.adapters.sql.postgresql import SqlServer
from frametally.adapters.sql.videos import catalogue as sql_videos
from frametally.errors import Misconfigured
from frametally.opening import open_count_index, open_ledger, open_video_catalogue
from frametally.ports.count_index import CountQuery
from frametally.ports.video_catalogue import VideoQuestion
from frametally.records import encode
from frametally.settings.access import ServerAccess
from frametally.video_records import VideoFields

Place = tuple[str, ServerAccess | None]


@contextmanager
def sqlite() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/database.sqlite", None


@contextmanager
def postgres() -> Iterator[Place]:
    from postgres_schemas import fresh_schema

    with fresh_schema() as place:
        yield place


DATABASES = [sqlite, pytest.param(postgres, marks=pytest.mark.services)]
NAMES: dict[str, Any] = {"ids": lambda value: value.__name__ if callable(value) else value.migrations}


@pytest.fixture(params=DATABASES, **NAMES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with request.param() as found:
        yield found


@pytest.fixture
def other_place(request: pytest.FixtureRequest, place: Place) -> Iterator[Place]:
    with (sqlite if place[0].startswith("sqlite") else postgres)() as found:
        yield found


@pytest.fixture
def opened() -> Iterator[Callable[..., SqlDatabase]]:
    with ExitStack() as stack:

        def make(place: Place, layout: Layout) -> SqlDatabase:
            database = SqlDatabase(place[0], layout, access=place[1])
            stack.callback(database.close)
            return database

        yield make


LAYOUTS = [
    sql_index._LAYOUT,
    sql_ledger._LAYOUT,
    sql_videos.LAYOUT,
    sql_gold._LAYOUT,
    sql_access.LAYOUT,
    sql_alerts.LAYOUT,
    sql_audit.LAYOUT,
]


@contextmanager
def connected(place: Place) -> Iterator[Connection]:
    """One transaction, by none of the code under test."""
    url, access = place
    if url.startswith("sqlite"):
        engine = create_engine(url)
    else:
        engine = SqlServer(url, access, what="index", setting="FRAMETALLY_INDEX_URL").open()
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def make_first_release(connection: Connection, layout: Layout) -> None:
    """The tables as the first release made them: revision 0001, and nothing of Alembic's."""
    sql_migration.upgrade(connection, folder=layout.migrations, since=0, to=1)
    connection.execute(text(f"DROP TABLE {revision_table(layout)}"))
    connection.execute(insert(layout.about).values(schema_version=1, next_number=8))


def revision_table(layout: Layout) -> str:
    return f"frametally_{layout.migrations.rpartition('/')[2]}_revision"


RUN = make_run(parts=[], frames=12)
START_MS = 1_767_225_600_000
COUNTS = [
    make_count(START_MS + minute * 60_000, label, minute + 1, frames=2, objects=minute or None)
    for minute in range(6)
    for label in ("bus", "car")
]
COVERAGE = [make_coverage(START_MS + minute * 60_000, 2) for minute in range(6)]


def fill_index(connection: Connection) -> None:
    """What the first release wrote when it published `RUN` as run number 7."""
    rows: dict[str, list[dict[str, object]]] = {
        "frametally_runs": [
            {
                "model": "m",
                "interval_s": 60,
                "day": RUN.day,
                "params": RUN.params,
                "sequence": 1,
                "number": 7,
                "record": encode(RUN).decode(),
            }
        ],
        "frametally_counts": [
            {
                "run": 7,
                "interval_start_ms": count.interval_start_ms,
                "source": count.source,
                "label": count.label,
                "detections": count.detections,
                "peak": count.peak,
                "peak_at_ms": count.evidence[0].captured_at_ms,
                "objects": count.objects,
            }
            for count in COUNTS
        ],
        "frametally_evidence": [
            {
                "run": 7,
                "interval_start_ms": count.interval_start_ms,
                "source": count.source,
                "label": count.label,
                "frames": msgspec.json.encode(count.evidence).decode(),
            }
            for count in COUNTS
        ],
        "frametally_coverage": [
            {
                "run": 7,
                "interval_start_ms": record.interval_start_ms,
                "source": record.source,
                "frames": record.frames,
            }
            for record in COVERAGE
        ],
    }
    write(connection, rows)


def fill_ledger(connection: Connection) -> None:
    """What the first release wrote of one segment with a frame and a dead letter."""
    segment = {
        "key": "metadata/model=m/x.jsonl",
        "model": 2,
        "log_id": "l",
        "topic": "frames",
        "partition": 0,
    }
    write(
        connection,
        {
            "frametally_ledger_names": [{"name": name, "number": n} for n, name in enumerate("mgv", start=2)],
            "frametally_ledger_objects": [
                {
                    "key": segment["key"],
                    "kind": "segment",
                    "model": "m",
                    "size_bytes": 9,
                    "version": "1",
                    "put_at_ms": 5,
                    "record": None,
                    "problem": None,
                }
            ],
            "frametally_ledger_segments": [
                {**segment, "number": 5, "first_offset": 0, "next_offset": 2, "frames": 1, "dead_letters": 1}
            ],
            "frametally_ledger_parts": [
                {
                    "model": 2,
                    "source": 3,
                    "last_ms": 8,
                    "segment": 5,
                    "first_ms": 8,
                    "first_byte": 1,
                    "next_byte": 9,
                }
            ],
            "frametally_ledger_frames": [
                {"model": 2, "source": 3, "media": 4, "captured_at_ms": at, "frame": at, "dead": dead}
                for at, dead in ((8, 0), (9, 1))
            ],
            "frametally_ledger_tallies": [
                {"model": 2, "source": 3, "media": 4, "detected": 1, "dead_lettered": 1}
            ],
            "frametally_ledger_dead_letters": [
                {
                    "segment": 5,
                    "at_offset": 1,
                    "model": 2,
                    "source": 3,
                    "media": 4,
                    "captured_at_ms": 9,
                    "frame": 9,
                    "cause": "missing",
                }
            ],
        },
    )


MINE, NOBODYS = (
    make_video(1, fields=VideoFields(client_id="client-1")),
    make_video(2, facts=make_facts(plays_in_browsers=False, why_not="No browser plays it.")),
)
GOING = make_video(3, state="deleting")
JOB_ID = "7d0c5f0e-0000-4000-8000-000000000000"


def fill_videos(connection: Connection) -> None:
    """What the first release wrote of two videos with their pictures and a job, and of one upload."""
    write(
        connection,
        {
            "frametally_videos": [
                {
                    "id": video.id,
                    "sha256": video.sha256,
                    "source": video.source,
                    "state": "ready",
                    "books": "[1,1,1,0,1,{}]",
                    "record": encode(video).decode(),
                    "version": "v1",
                    "looked": 3,
                    "searched": video.name.lower(),
                    "uploaded_at_ms": video.uploaded_at_ms,
                    "filmed_at_ms": 5,
                    "name_order": video.name.encode(),
                    "length_ms": 60_000,
                    "size_bytes": video.size_bytes,
                }
                for video in (MINE, NOBODYS, GOING)
            ],
            "frametally_video_previews": [
                {"video_id": MINE.id, "kind": kind, "key": key, "content_type": "image/jpeg", "size_bytes": 7}
                for kind, key in (("sprite", "s"), ("poster", "p"))
            ],
            "frametally_uploads": [
                {
                    "id": "u",
                    "state": "accepted",
                    "video_id": MINE.id,
                    "known": False,
                    "client_id": "client-1",
                    "status": 0,
                    "expires_at_ms": 9,
                }
            ],
            "frametally_video_jobs": [
                {
                    "id": JOB_ID,
                    "number": 4,
                    "video_id": NOBODYS.id,
                    "kind": "frames",
                    "state": "running",
                    "attempts": 1,
                    "generation": 1,
                    "worker": "w",
                    "due_at_ms": 6,
                    "created_at_ms": 5,
                    "started_at_ms": 6,
                }
            ],
        },
    )


def write(connection: Connection, rows: dict[str, list[dict[str, object]]]) -> None:
    for table, found in rows.items():
        names = list(found[0])
        values = ", ".join(f":{name}" for name in names)
        connection.execute(text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"), found)  # noqa: S608


def test_an_index_of_the_first_release_answers_as_one_made_today(place: Place, other_place: Place) -> None:
    with connected(place) as connection:
        make_first_release(connection, sql_index._LAYOUT)
        fill_index(connection)
    answers = []
    for url, access in (place, other_place):
        with closing(open_count_index(url, access)) as index:
            published = index.publish(RUN, COUNTS, COVERAGE)
            asked: dict[str, Any] = {"model": "m", "base_interval_s": 60}
            answers.append(
                [
                    index.current_runs(),
                    index.series(),
                    index.labels("m"),
                    index.sources("m"),
                    *(
                        index.histogram(CountQuery(**asked, interval_s=seconds))
                        for seconds in (60, 120, 900, 3600, 86_400)
                    ),
                    index.evidence(CountQuery(**asked), limit_per_label=3),
                ]
            )
            assert published == (url == other_place[0])
            newer = msgspec.structs.replace(RUN, sequence=2)
            assert index.publish(newer, COUNTS[:1], COVERAGE[:1])
            answers[-1] += [index.labels("m"), index.histogram(CountQuery(**asked, interval_s=86_400))]
    assert answers[0] == answers[1]


def test_a_ledger_of_the_first_release_keeps_its_books(place: Place) -> None:
    with connected(place) as connection:
        make_first_release(connection, sql_ledger._LAYOUT)
        fill_ledger(connection)
    with closing(open_ledger(*place)) as ledger:
        assert ledger.tallies("m") == [("g", "v", 1, 1)]
        assert ledger.models() == ["m"]
        assert [link[:8] for link in ledger.chain("m")] == [
            ("metadata/model=m/x.jsonl", "l", "frames", 0, 0, 2, 1, 1)
        ]
        assert [one[:4] for one in ledger.dead_frames("m")] == [("g", "v", 9, "missing")]
        assert ledger.parts("m", "g", from_ms=8, to_ms=9) == [("metadata/model=m/x.jsonl", 1, 9, 8, 8, None)]
        assert ledger.newest_frames("m") == {"g": 8}


def test_a_catalogue_of_the_first_release_keeps_its_videos_pictures_and_jobs(place: Place) -> None:
    with connected(place) as connection:
        make_first_release(connection, sql_videos.LAYOUT)
        fill_videos(connection)
    with closing(open_video_catalogue(*place)) as catalogue:
        mine, nobodys = (catalogue.video(video.id) for video in (MINE, NOBODYS))
        assert (mine.record, nobodys.record) == (MINE, NOBODYS)
        assert [(one.kind, one.key, one.size_bytes) for one in mine.artifacts] == [
            ("poster", "p", 7),
            ("sprite", "s", 7),
        ]
        assert nobodys.artifacts == ()
        found = catalogue.videos(VideoQuestion(client_id="client-1")).rows
        assert [row.record.id for row in found] == [MINE.id]
        assert catalogue.upload("u").state == "accepted"
        job, *_ = catalogue.jobs(NOBODYS.id)
        assert (job.id, job.options, job.state, job.attempts) == (JOB_ID, "", "running", 1)
        assert catalogue.queue(NOBODYS.id, "frames") == job
        taken = catalogue.claim("x", ("frames",), lease_s=9)
        assert (taken.id, taken.generation) == (JOB_ID, 2)


def test_videos_of_the_first_release_are_described_checked_and_made_playable_by_workers_alone(
    place: Place,
) -> None:
    with connected(place) as connection:
        make_first_release(connection, sql_videos.LAYOUT)
        fill_videos(connection)
    for _ in range(2):
        with closing(open_video_catalogue(*place)) as catalogue:
            assert catalogue.untold_arrivals(9) == []
            assert {
                video.id: [job.kind for job in catalogue.jobs(video.id) if job.state == "queued"]
                for video in (MINE, NOBODYS, GOING)
            } == {
                MINE.id: ["metadata", "checks"],
                NOBODYS.id: ["metadata", "checks", "playable"],
                GOING.id: [],
            }
    with closing(open_video_catalogue(*place)) as catalogue:
        newest = catalogue.queue(MINE.id, "enhance", "{}")  # its number is nobody else's
        assert catalogue.jobs(MINE.id)[-1] == newest
        first = catalogue.claim("x", ("metadata", "checks", "playable"), lease_s=9)
        assert (first.video_id, first.kind) == (MINE.id, "metadata")


@pytest.mark.thorough
@pytest.mark.parametrize("layout", LAYOUTS, **NAMES)
def test_upgraded_step_by_step_and_made_at_once_are_the_same_tables(
    place: Place, other_place: Place, layout: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    with connected(place) as connection:
        make_first_release(connection, layout)
    opened(place, layout)
    opened(other_place, layout)
    seen = []
    for found in (place, other_place):
        with connected(found) as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            extra = [revision_table(layout)]
            assert [
                change
                for change in compare_metadata(context, layout.tables)
                if not (change[0] == "remove_table" and change[1].name in extra)
            ] == []
            assert (
                connection.execute(select(layout.about.c.schema_version)).scalar_one()
                == layout.schema_version
            )
            if found[0].startswith("sqlite"):  # which rows lie together is in no column
                query = "SELECT name, sql LIKE '%WITHOUT ROWID%' FROM sqlite_master WHERE type = 'table'"
                seen.append(sorted(row for row in connection.execute(text(query)) if row[0] not in extra))
    assert seen == seen[:1] * len(seen)


@pytest.mark.parametrize("layout", LAYOUTS, **NAMES)
def test_a_database_of_a_newer_frametally_is_refused_with_one_line(
    place: Place, layout: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    opened(place, layout)
    with connected(place) as connection:
        connection.execute(layout.about.update().values(schema_version=layout.schema_version + 1))
    with pytest.raises(
        Misconfigured, match=f"has layout {layout.schema_version + 1}; .*use the version that"
    ) as raised:
        opened(place, layout)
    assert "\n" not in str(raised.value)


# A history of our own, so that what an upgrade keeps does not depend on which layouts there are today.
THINGS = MetaData()
about = Table(
    "things_about",
    THINGS,
    Column("schema_version", Integer, primary_key=True, autoincrement=False),
    Column("next_number", BigInteger, nullable=False),
)
things = Table(
    "things", THINGS, Column("name", Text, primary_key=True), Column("letters", BigInteger, nullable=False)
)
FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.create_table("things_about", sa.Column("schema_version", sa.Integer(), primary_key=True),
                    sa.Column("next_number", sa.BigInteger(), nullable=False))
    op.create_table("things", sa.Column("name", sa.Text(), primary_key=True))
"""
SECOND = """
import pathlib
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    with pathlib.Path(__file__).with_name("times").open("a") as file:
        file.write("x")
    op.add_column("things", sa.Column("letters", sa.BigInteger(), nullable=True))
    op.execute("UPDATE things SET letters = length(name)")
    with op.batch_alter_table("things") as table:
        table.alter_column("letters", nullable=False)
"""
THIRD = """
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.execute("DELETE FROM things")
    op.execute("UPDATE nothing SET x = 1")
"""


@pytest.fixture
def history(tmp_path: Path) -> Layout:
    """Layouts 1 to 3; the way to 3 fails at its end."""
    folder = tmp_path / "history"
    folder.mkdir()
    for number, content in enumerate((FIRST, SECOND, THIRD), start=1):
        (folder / f"rev_{number}.py").write_text(content)
    return Layout(
        what="thing",
        setting="FRAMETALLY_THING_URL",
        refill="frametally thing",
        tables=THINGS,
        about=about,
        schema_version=2,
        migrations=str(folder),
    )


@pytest.fixture
def old(place: Place, history: Layout) -> Place:
    """A place with layout 1 and something in it."""
    with connected(place) as connection:
        make_first_release(connection, history)
        connection.execute(text("INSERT INTO things (name) VALUES ('car'), ('lorry')"))
    return place


def names_and_letters(database: SqlDatabase) -> list[Any]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(select(things).order_by(things.c.letters))]


def test_of_many_that_open_an_old_database_one_upgrades_it_and_the_others_wait(
    old: Place, history: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    start, databases, errors = threading.Barrier(6), [], []

    def open_it() -> None:
        start.wait()
        try:
            databases.append(opened(old, history))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [names_and_letters(database) for database in databases] == [[("car", 3), ("lorry", 5)]] * 6
    assert Path(history.migrations, "times").read_text() == "x"


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(
    old: Place, history: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    with pytest.raises(Misconfigured):
        opened(old, history._replace(schema_version=3))
    with connected(old) as connection:
        assert [column["name"] for column in inspect(connection).get_columns("things")] == ["name"]
        assert connection.execute(select(about.c.schema_version)).scalar_one() == 1
    assert names_and_letters(opened(old, history)) == [("car", 3), ("lorry", 5)]


def test_an_older_process_that_is_still_at_work_writes_no_more(
    old: Place, history: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    with closing(opened(old, history._replace(schema_version=1))) as at_work:
        opened(old, history)
        with pytest.raises(Misconfigured, match="restart this one"), at_work.writing() as connection:
            connection.execute(text("DELETE FROM things"))
    assert len(names_and_letters(opened(old, history))) == 2
