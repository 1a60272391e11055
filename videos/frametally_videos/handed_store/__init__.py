"""A store that a worker hands to the process of a job: one video's folder, and nothing else."""
