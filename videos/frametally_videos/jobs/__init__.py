"""What is done to videos: jobs, each in a process of its own."""
