"""The ports: what an adapter must do, and its records."""
