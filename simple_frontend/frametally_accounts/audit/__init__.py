"""The audit log: who changed what, when and from where; a digest binds each record to the one before."""
