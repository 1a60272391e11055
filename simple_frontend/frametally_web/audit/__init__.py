"""The audit log: what each request that changes anything leaves in it, and how it is shown."""
