"""What is live: results as they are found, with their pictures, to all who watch; streams, and cameras."""
