"""What is done to an uploaded video: frames, previews, what it is, removal; each in a process of its own."""
