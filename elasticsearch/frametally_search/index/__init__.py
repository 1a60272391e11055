"""Elasticsearch as the count index."""
