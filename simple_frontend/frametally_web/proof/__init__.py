"""The frames and objects behind a bar."""
