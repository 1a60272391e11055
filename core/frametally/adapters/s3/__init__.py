"""S3 as the object store."""
