"""Finds the ONVIF devices of the local network, and reads their streams."""
