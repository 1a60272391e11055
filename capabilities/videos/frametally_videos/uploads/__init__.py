"""Uploads: begun, kept while bytes come, and turned into videos."""
