"""A face swap that a class trains itself in a lesson: one encoder for two people, and a decoder for each."""
