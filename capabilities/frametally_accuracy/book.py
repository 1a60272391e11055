"""Stores accuracy checks, their units and every answer in a SQL database."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Table, delete, func, insert, select

from frametally.adapters.sql.clock import now_ms
from frametally.adapters.sql.sql_book import CatalogueBook
from frametally.errors import Misconfigured
from frametally.files.sqlite import sqlite_path
from frametally_accuracy import tables
from frametally_accuracy.records import AccuracyCheck, CheckAnswer, CheckUnit, OtherChecks
from frametally_accuracy.sent import UnitAnswer

_checks, _units, _answers = tables.checks.c, tables.units.c, tables.answers.c


def has_rows(url: str, table: Table) -> bool:
    """Return whether a table may have rows, without creating an SQLite file; True for a database server.

    Also True for a file that cannot be read now, so that the caller opens it and gets the reason.
    """
    if not url.startswith("sqlite:"):
        return True
    path = sqlite_path(url, CatalogueBook.layout.setting)
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as raw:
            is_made = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
            if raw.execute(is_made, (table.name,)).fetchone() is None:
                return False
            return raw.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone() is not None  # noqa: S608
    except sqlite3.Error:
        return path.exists()


class NoSuchCheck(Misconfigured):
    """There is no such check, or no such unit in it."""


class AccuracyBook(CatalogueBook):
    """Checks, units and answers in the database at a URL."""

    def add(self, check: AccuracyCheck, units: Sequence[CheckUnit]) -> AccuracyCheck:
        """Add a check with its units, and return it with the time.

        Raises:
            Misconfigured: A check with that name or id exists.
        """
        with self._database.writing() as connection:
            is_taken = (_checks.name == check.name) | (_checks.id == check.name) | (_checks.name == check.id)
            if connection.execute(select(_checks.id).where(is_taken)).first():
                raise Misconfigured(
                    f"there is already an accuracy check with the name or ID {check.name!r}; choose "
                    "another name"
                )
            check = msgspec.structs.replace(check, started_at_ms=now_ms(connection))
            connection.execute(
                insert(tables.checks).values(
                    id=check.id, name=check.name, started_at_ms=check.started_at_ms, check=_json(check)
                )
            )
            rows = [{"check": check.id, "number": unit.number, "unit": _json(unit)} for unit in units]
            connection.execute(insert(tables.units), rows)
        return check

    def remove(self, name: str) -> None:
        """Remove the check with that name, its units and its answers, if it exists."""
        with self._database.writing() as connection:
            check_id = connection.execute(select(_checks.id).where(_checks.name == name)).scalar()
            connection.execute(delete(tables.answers).where(_answers.check == check_id))
            connection.execute(delete(tables.units).where(_units.check == check_id))
            connection.execute(delete(tables.checks).where(_checks.id == check_id))

    def checks(self) -> list[AccuracyCheck]:
        """Return all checks, the newest first."""
        query = select(_checks.check).order_by(_checks.started_at_ms.desc(), _checks.id)
        with self._database.reading() as connection:
            rows = connection.execute(query).scalars().all()
        return [msgspec.json.decode(row, type=AccuracyCheck) for row in rows]

    def find_check(self, name: str) -> AccuracyCheck:
        """Return the check with that id or name. Raises `NoSuchCheck`."""
        query = select(_checks.check).where((_checks.id == name) | (_checks.name == name))
        with self._database.reading() as connection:
            row = connection.execute(query).scalar()
        if row is None:
            raise NoSuchCheck(
                f"there is no accuracy check named {name!r}", "`frametally accuracy list` lists the checks"
            )
        return msgspec.json.decode(row, type=AccuracyCheck)

    def units(self, check: str) -> list[CheckUnit]:
        """Return the units of a check by number."""
        query = select(_units.unit).where(_units.check == check).order_by(_units.number)
        with self._database.reading() as connection:
            rows = connection.execute(query).scalars().all()
        return [msgspec.json.decode(row, type=CheckUnit) for row in rows]

    def answers(self, check: str) -> list[CheckAnswer]:
        """Return the last answer of each unit and turn, by unit and turn."""
        query = (
            select(_answers.answer)
            .where(_answers.check == check)
            .order_by(_answers.unit, _answers.turn, _answers.revision)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).scalars().all()
        decoded = (msgspec.json.decode(row, type=CheckAnswer) for row in rows)
        return [*{(answer.unit, answer.turn): answer for answer in decoded}.values()]

    def other_checks(self, check: AccuracyCheck) -> OtherChecks:
        """Return the number of other checks with the same metric and overlapping footage."""
        same_footage = {
            other.id
            for other in self.checks()
            if other.id != check.id
            and other.metric == check.metric
            and not {*other.sources}.isdisjoint(check.sources)
            and other.from_ms < check.to_ms
            and check.from_ms < other.to_ms
        }
        with self._database.reading() as connection:
            answered = {*connection.execute(select(_answers.check).distinct()).scalars()}
        return OtherChecks(checks=len(same_footage), answered=len(same_footage & answered))

    def answered(self) -> dict[str, str]:
        """Return a text by id of each check with answers, which changes with every new answer."""
        query = select(_answers.check, func.count(), func.max(_answers.answered_at_ms)).group_by(
            _answers.check
        )
        with self._database.reading() as connection:
            return {check: f"{number}.{last_ms}" for check, number, last_ms in connection.execute(query)}

    def answer(
        self,
        check: AccuracyCheck,
        unit: int,
        *,
        person: str,
        counts: dict[str, int],
        turn: int = 0,
        details: UnitAnswer | None = None,
    ) -> CheckAnswer:
        """Store an answer with its details, without losing earlier ones.

        An answer to another person's turn becomes a new turn; a second answer to your own turn corrects it.

        Raises:
            NoSuchCheck: There is no such unit.
        """
        with self._database.writing() as connection:
            where = (_units.check == check.id) & (_units.number == unit)
            if connection.execute(select(_units.number).where(where)).first() is None:
                raise NoSuchCheck(f"accuracy check {check.name!r} has no unit {unit}")
            turn, revision = _place_of(connection, check.id, unit, person, turn)
            own = {"turn": turn, "person": person, "answered_at_ms": now_ms(connection), "counts": counts}
            stored_answer = CheckAnswer(**msgspec.structs.asdict(details or UnitAnswer(unit=unit)) | own)
            connection.execute(
                insert(tables.answers).values(
                    check=check.id,
                    unit=unit,
                    turn=turn,
                    revision=revision,
                    person=person,
                    answered_at_ms=stored_answer.answered_at_ms,
                    answer=_json(stored_answer),
                )
            )
        return stored_answer

    def now_ms(self) -> int:
        """Return the time by the database's clock."""
        with self._database.reading() as connection:
            return now_ms(connection)

    def signing_key(self) -> Ed25519PrivateKey:
        """Return the key that signs certificates, which is created on first use."""
        with self._database.writing() as connection:
            private_hex = connection.execute(select(tables.keys.c.private)).scalar()
            if private_hex is None:
                key = Ed25519PrivateKey.generate()
                private_hex, public = key.private_bytes_raw().hex(), key.public_key().public_bytes_raw().hex()
                connection.execute(insert(tables.keys).values(public=public, private=private_hex))
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_hex))

    def public_key(self) -> str:
        """Return the public key of its certificates in hexadecimal; empty if it has none yet."""
        with self._database.reading() as connection:
            return connection.execute(select(tables.keys.c.public)).scalar() or ""


def _place_of(connection: Connection, check: str, unit: int, person: str, turn: int) -> tuple[int, int]:
    """Return the turn and the revision of a new answer."""
    query = (
        select(_answers.turn, _answers.person, func.max(_answers.revision).label("revision"))
        .where(_answers.check == check, _answers.unit == unit)
        .group_by(_answers.turn, _answers.person)
        .order_by(_answers.turn)
    )
    rows = {row.turn: row for row in connection.execute(query)}
    turn = min(turn, len(rows))
    while (row := rows.get(turn)) is not None:
        if row.person == person:
            return turn, row.revision + 1
        turn += 1
    return turn, 0


def _json(record: msgspec.Struct) -> str:
    return msgspec.json.encode(record).decode()
