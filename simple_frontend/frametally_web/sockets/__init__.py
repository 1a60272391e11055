"""WebSockets: what is told to those who uploaded videos, as it happens."""
