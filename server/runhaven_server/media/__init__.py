"""What was logged beside numbers, as the dashboard asks for it."""
