"""Measuring the skills on distributions of tasks."""
