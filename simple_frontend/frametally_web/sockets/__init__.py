"""WebSockets: their connections, and the shared part of their conversations."""
