"""What is done to an uploaded video: its frames, its previews, its removal; each in a process of its own."""
