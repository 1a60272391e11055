"""The audit log: who changed what, when and from where, each record bound to the one before by its digest."""
