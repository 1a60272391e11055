"""Checks of `frametally doctor`: settings, ports, models, this machine."""
