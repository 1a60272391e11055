"""How the tables of the SQL index and ledger came to be what they are: a folder each, a revision a layout.

A new database is made from `index/tables.py` or `ledger/tables.py` at once; one that an older frametally
made is upgraded in place when it is opened, by the revisions that it lacks. A test holds the two ways to one
result, in SQLite and in PostgreSQL. To change the tables:

1. change those tables to what they are to be, and add 1 to `SCHEMA_VERSION`;
2. add `migrations/index/rev_<number>_<what>.py` (or `ledger/`), Alembic's way: `revision = "0002"`,
   `down_revision = "0001"`, `def upgrade() -> None` with `op.create_table(...)`, `op.add_column(...)`,
   `op.batch_alter_table(...)` where SQLite cannot alter, and `op.execute(...)` to fill what is new from what
   is there, in SQL that both databases know. A table that is `sqlite_with_rowid=False` says so here, too;
3. never import the tables from a revision: it tells what was, and they will change again;
4. a row of the index carries a `crc32` over its other columns in the order of the table (`tables.checksum`):
   a revision that changes rows, or adds a column, computes it anew;
5. `tests/core/test_migrations.py` finds it by itself: give it rows that matter in `fill_<index or ledger>`.

A revision that has been released is never changed. There is no way down: an older frametally refuses a newer
database, and both index and ledger can be filled again from the object store alone.
"""
