"""What the master remembers of a site from mission to mission."""
