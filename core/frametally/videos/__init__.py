"""Videos that come in by an upload: accepted, looked into, edited, removed."""
