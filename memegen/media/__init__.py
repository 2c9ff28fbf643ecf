"""Clips, pictures and sound: read from files and written to them."""
