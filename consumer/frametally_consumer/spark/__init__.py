"""Detects live frames on Spark: Structured Streaming reads the topic, and tasks write segments."""
