"""Live detection on Spark: Structured Streaming reads the topic, and tasks detect and write segments."""
