"""What people are told of their videos by mail: put into the outbox, and sent from there."""
