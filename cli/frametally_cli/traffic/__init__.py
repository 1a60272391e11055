"""Commands of what traffic is counted by."""
