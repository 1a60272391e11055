"""Rules of what is live: which streams may be started, and which cameras added."""
