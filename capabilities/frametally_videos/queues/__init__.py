"""Announces jobs to workers, through the job book itself or RabbitMQ."""
