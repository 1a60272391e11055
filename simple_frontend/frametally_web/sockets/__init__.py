"""WebSockets: messages to those who uploaded videos, as it happens."""
