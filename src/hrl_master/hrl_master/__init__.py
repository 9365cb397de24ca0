"""Chooses the next skill from the scene, guards it and runs missions."""
