"""The count index in Elasticsearch."""
