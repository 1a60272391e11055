"""The counting job, which a cluster can run, and the driver that plans, runs and publishes it."""
