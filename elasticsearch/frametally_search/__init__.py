"""Publishes the counting job's runs in the count index."""
