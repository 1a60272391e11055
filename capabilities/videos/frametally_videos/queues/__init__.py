"""Announces jobs to workers: by the job book itself, or by RabbitMQ."""
