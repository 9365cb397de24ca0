"""The command line, launch files, configuration, demo and trials."""
