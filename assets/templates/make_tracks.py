"""Follows the face in the bundled templates, writes the tracks beside the clips; after a change of the tracker too.

`python make_tracks.py [NAME ...]`. The first template's keeps every bit; the others are rounded, to travel light.
"""

import sys

from memegen.base.downloads import asset
from memegen.face.watching import save_track
from memegen.media.video import open_video
from memegen.templates import TEMPLATES

for template in TEMPLATES:
    if template.bundled and (len(sys.argv) == 1 or template.name in sys.argv):
        path = asset(template.bundled)
        duration = None if template.end is None else template.end - template.start
        clip = open_video(path, start=template.start, duration=duration)
        track = path.with_suffix(".track.npz")
        exact = template is TEMPLATES[0]
        save_track(clip if template.crop is None else clip.cropped(template.crop), track, step=0 if exact else 1 / 64)
        print(f"{track}: {track.stat().st_size / 1e6:.2f} MB")
