"""Presets of models: what each costs on this machine, and a second count with one."""
