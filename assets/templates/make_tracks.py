"""Follows the face in the first template, writes its track beside the clip; after a change of the tracker too.

The other bundled clips are watched when they are first used, in a few seconds: their tracks would weigh 8 MB.
"""

from memegen.base.downloads import asset
from memegen.face.watching import save_track
from memegen.media.video import open_video
from memegen.templates import TEMPLATES

for template in TEMPLATES[:1]:
    if template.bundled:
        path = asset(template.bundled)
        duration = None if template.end is None else template.end - template.start
        clip = open_video(path, start=template.start, duration=duration)
        track = path.with_suffix(".track.npz")
        save_track(clip if template.crop is None else clip.cropped(template.crop), track)
        print(f"{track}: {track.stat().st_size / 1e6:.2f} MB")
