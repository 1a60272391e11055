"""Manages media and their manifests, and forgets, retimes or renames footage."""
