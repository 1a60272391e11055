"""Begins uploads, keeps them while bytes arrive, and turns them into videos."""
