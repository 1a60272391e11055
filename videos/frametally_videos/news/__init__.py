"""What people are told of their videos by mail."""
