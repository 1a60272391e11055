"""What is live, detected on Spark: Structured Streaming reads its topic, tasks detect and write segments."""
