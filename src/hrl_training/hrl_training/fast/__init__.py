"""A skill-level simulator: whole missions in milliseconds, from layouts and measured trials."""
