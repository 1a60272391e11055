"""Discovery: finds the ONVIF devices of the local network, and reads what they show."""
