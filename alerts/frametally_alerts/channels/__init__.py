"""The ways by which alerts reach people and programs."""
