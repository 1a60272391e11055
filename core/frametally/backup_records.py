"""What a backup holds: rows of the catalogue that nothing else can restore; and who reads and writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

Value = str | int | float | None


class KeptRow(NamedTuple):
    """One row of a table.

    Attributes:
        table: The table's name.
        values: The row's values by column, as the database has them.
    """

    table: str
    values: dict[str, Value]


def in_words(numbers: Mapping[str, int]) -> str:
    """Return how much there is of what, such as `accounts: 2, tokens: 1`."""
    return ", ".join(f"{words}: {number}" for words, number in numbers.items())


class KeptBooks(Protocol):
    """The catalogue's books that cannot be made anew from the store: accounts, alerts, audit log, cameras."""

    url: str

    def layouts(self) -> dict[str, int]:
        """Return the layout of each book, by its name."""
        ...

    def held(self) -> dict[str, int]:
        """Return how many rows the books hold, by what people call them; without what there is none of."""
        ...

    def named(self, numbers: Mapping[str, int]) -> dict[str, int]:
        """Return numbers of rows by table as `held` does."""
        ...

    def rows(self) -> AbstractContextManager[Iterator[KeptRow]]:
        """Hold all rows as they stand at one moment; nobody waits for it."""
        ...

    def restore(self, rows: Iterable[KeptRow], *, replace: bool) -> None:
        """Write rows of `layouts()` in one transaction, in place of all that is there.

        Log-ins, links for passwords and tried log-ins end.

        Raises:
            Misconfigured: The books hold something, and `replace` is false.
            Poison: A row is of another layout.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...
