"""Shows cameras in Home Assistant by MQTT discovery: their pictures, their objects, and how many at once."""
