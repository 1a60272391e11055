"""`/ws/{client_id}`: clients follow the videos that they uploaded."""
