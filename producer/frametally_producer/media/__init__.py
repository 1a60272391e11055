"""A medium from its file to its frames in the store: pictures, videos."""
