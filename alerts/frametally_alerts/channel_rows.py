"""The channels that administrators added, as rows of the alert book: encrypted by their maker."""

from __future__ import annotations

from sqlalchemy import and_, delete, insert, select, update

from frametally.adapters.sql.clock import now_ms
from frametally.adapters.sql.sql_book import SqlBook
from frametally_alerts import tables

_channels, _messages = tables.channels.c, tables.messages.c


class ChannelRows(SqlBook):
    """What of the alert book is about channels."""

    def add_channel(self, name: str, sealed: str) -> bool:
        """Add a channel; False: there is one of that name."""
        with self._database.writing() as connection:
            if connection.execute(select(_channels.name).where(_channels.name == name)).first() is not None:
                return False
            values = {"name": name, "sealed": sealed, "changed_at_ms": now_ms(connection)}
            connection.execute(insert(tables.channels).values(**values))
            return True

    def replace_channel(self, name: str, sealed: str) -> bool:
        """Put another address in the place of a channel's; False: there is none of that name."""
        with self._database.writing() as connection:
            values = {"sealed": sealed, "changed_at_ms": now_ms(connection)}
            changed = update(tables.channels).where(_channels.name == name).values(**values)
            return bool(connection.execute(changed).rowcount)

    def remove_channel(self, name: str) -> bool:
        """Remove a channel and its waiting messages; False: there is none of that name."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(tables.channels).where(_channels.name == name)).rowcount
            if gone:
                waits = and_(_messages.channel == name, _messages.state == "queued")
                connection.execute(delete(tables.messages).where(waits))
            return bool(gone)

    def sealed_channels(self) -> dict[str, str]:
        """Return the channels as they are stored, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_channels.name, _channels.sealed).order_by(_channels.name))
            return {row.name: row.sealed for row in rows}
