"""The count index in SQL tables."""
