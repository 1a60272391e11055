"""The audit log on the command line: what each command leaves in it, and how it is read."""
