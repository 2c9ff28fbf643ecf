"""What a clip says of its own making: marks in its frames and its file, written and read."""
