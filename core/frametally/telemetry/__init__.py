"""What people and programs watch a process by: its metrics, and who asks for them."""
