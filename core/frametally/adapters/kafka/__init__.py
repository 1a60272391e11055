"""Kafka as the frame log."""
