"""Uploading videos: to a running dashboard by tus, or into the parts that the settings name."""
