"""WebSockets: messages to people who uploaded videos, as things happen."""
