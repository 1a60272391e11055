"""The ledger in SQL tables."""
