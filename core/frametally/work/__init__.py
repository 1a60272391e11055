"""Work that one worker holds at a time: leases, outboxes, and processes that are watched."""
