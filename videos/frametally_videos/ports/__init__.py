"""What the catalogue's database and the task queue must do."""
