"""A small object in the store marks that accounts exist, so a lost catalogue does not open the dashboard."""

from __future__ import annotations

from frametally import keys
from frametally.errors import Misconfigured
from frametally.ports.object_store import ObjectStore

ACCOUNTS_KEY = f"{keys.ACCESS}/accounts.json"


def note_accounts(store: ObjectStore) -> None:
    """Write the mark that accounts exist; call it before the first is added."""
    if store.head(ACCOUNTS_KEY) is None:
        store.put(ACCOUNTS_KEY, b'{"accounts":true}', if_absent=True)


def note_no_accounts(store: ObjectStore) -> None:
    """Remove the mark after a person has removed the last account."""
    store.delete(ACCOUNTS_KEY)


def has_noted_accounts(store: ObjectStore) -> bool:
    """Return whether the store has the mark that accounts exist."""
    return store.head(ACCOUNTS_KEY) is not None


def check_accounts(store: ObjectStore, *, has_accounts: bool, url: str) -> None:
    """Detect lost accounts before anything is served without them.

    `url` is the book's address, as messages show it.

    Raises:
        Misconfigured: The store has the mark that accounts exist, but the book has none.
    """
    if not has_accounts and has_noted_accounts(store):
        raise Misconfigured(
            f"the account database {url} has no accounts, but this store is marked as having some: correct "
            "FRAMETALLY_CATALOGUE_URL, restore the accounts with `frametally restore`, or start again with "
            "`frametally users add NAME --role run`"
        )
