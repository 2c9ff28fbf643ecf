"""Text for pictures: any script, emoji in colour, wrapped and shrunk to fit, drawn once and then laid over each frame.

HarfBuzz shapes and rasterises, so that text looks the same on every machine. Letters that the bundled fonts lack come
from the system's fonts.
"""

from memegen.look.captions.drawing import Colour, Stamp, draw, on_plate
from memegen.look.captions.layout import Block, caption, check_letters
from memegen.look.captions.shaping import clusters, tidy

__all__ = ["Block", "Colour", "Stamp", "caption", "check_letters", "clusters", "draw", "on_plate", "tidy"]
