"""The ports: the interfaces of the adapters, and their records."""
