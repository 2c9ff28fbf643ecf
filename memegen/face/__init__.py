"""Faces: found, followed, cropped, and cast for a song."""
