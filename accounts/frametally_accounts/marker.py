"""A small object in the store says that there are accounts: a catalogue that is lost opens nothing."""

from __future__ import annotations

from frametally import keys
from frametally.errors import Misconfigured
from frametally.ports.object_store import ObjectStore

ACCOUNTS_KEY = f"{keys.ACCESS}/accounts.json"


def note_accounts(store: ObjectStore) -> None:
    """Have the store say that there are accounts; call it before the first is made."""
    if store.head(ACCOUNTS_KEY) is None:
        store.put(ACCOUNTS_KEY, b'{"accounts":true}', if_absent=True)


def note_no_accounts(store: ObjectStore) -> None:
    """Have the store no longer say so, after the last account was removed by a person."""
    store.delete(ACCOUNTS_KEY)


def has_noted_accounts(store: ObjectStore) -> bool:
    """Return whether the store says that there are accounts."""
    return store.head(ACCOUNTS_KEY) is not None


def check_accounts(store: ObjectStore, *, has_accounts: bool, url: str) -> None:
    """Find out that the accounts were lost before anything is served without them.

    Args:
        store: What says whether there are accounts.
        has_accounts: Whether the access book has any.
        url: Where the book lies, as messages show it.

    Raises:
        Misconfigured: The store says that there are accounts, and the book has none.
    """
    if not has_accounts and has_noted_accounts(store):
        raise Misconfigured(
            f"the access book {url} has no account, but this store says that there are accounts: correct "
            "FRAMETALLY_CATALOGUE_URL, bring them back by `frametally restore`, or begin anew by "
            "`frametally users add NAME --role run`"
        )
