"""The ledger's layouts, oldest first."""
