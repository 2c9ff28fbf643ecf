"""What frames are put into: a canvas, captions and sung lines."""
