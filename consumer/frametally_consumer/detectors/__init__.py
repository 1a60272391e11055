"""From pictures to boxes, with one of the back-ends."""
