"""Hooks for frametally's commands: each module has one hook of `plugin.py`."""
