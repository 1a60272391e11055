"""RabbitMQ as the task queue."""
