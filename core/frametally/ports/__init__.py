"""What an adapter must do, and the records that it takes and gives."""
