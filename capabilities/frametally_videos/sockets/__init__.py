"""`/ws/{client_id}`: clients follow their uploaded videos."""
