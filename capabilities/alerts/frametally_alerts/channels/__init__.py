"""The channels by which alerts reach people and programs."""
