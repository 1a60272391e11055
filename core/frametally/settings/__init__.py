"""Defines, loads and documents every setting."""
