"""Work that one worker holds at a time: leases, outboxes and supervised processes."""
