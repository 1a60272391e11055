"""The audit log: who changed what, when and from where, in records linked by digests."""
