"""Text for pictures, in any script, with emoji in colour: wrapped and shrunk to fit, drawn once for many frames."""

from memegen.look.captions.drawing import Box, Colour, Stamp, draw, on_plate
from memegen.look.captions.layout import Block, caption, check_letters
from memegen.look.captions.shaping import clusters, tidy

__all__ = ["Block", "Box", "Colour", "Stamp", "caption", "check_letters", "clusters", "draw", "on_plate", "tidy"]
