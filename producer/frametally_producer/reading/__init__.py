"""What media files hold: pixels and event times."""
