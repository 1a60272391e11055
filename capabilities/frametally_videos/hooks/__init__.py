"""Hooks for frametally's commands, which `plugin.py` registers."""
