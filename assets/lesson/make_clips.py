"""Makes the three clips of notebook 05: a.mp4, b.mp4 and c.mp4, beside this file.

b is a real person who speaks, and nobody changed it. c is a meme with all of memegen's marks. a is c as it comes back
from a chat: its lower edge with the label is cut off, it is smaller, and it was saved again without metadata.

Pictures, sound and metadata are the same at every run. The signature of c is not: each run makes a certificate of its
own and throws the key away. It is valid until the end of the ninth year after this one; then run this again.
"""

import os
import shutil
import tempfile
from pathlib import Path

import memegen
from memegen.base.downloads import asset
from memegen.provenance.credentials import available

HERE = Path(__file__).parent
REAL = HERE.parents[1] / "tests/cases/ref.mp4"  # two seconds of the GRID corpus, see NOTICE
SPAN = {"start": 4.8, "duration": 3.3}  # seconds of the song: a blink, and the mouth opens wide; as in notebook 02
CROP = (0, 0, 512, 512)  # pixels of the meme: all but its lower edge with the label
SIDE = 360  # pixels of the copy


def main() -> None:
    """Write the clips and print what `inspect` says of them."""
    if not available():
        raise SystemExit("c.mp4 has to be signed: pip install 'memegen-sings[signing]'")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MEMEGEN_CONFIG"] = folder
        # A little less than the song asks for, so that the first look is not enough.
        mild = {"expression": 0.7, "motion": 0.7}
        meme = memegen.make_meme(asset("portrait.jpg"), out=HERE / "c.mp4", max_size="300kB", **SPAN, **mild)
    small = meme.cropped(CROP).frames(max_side=SIDE)
    memegen.write_video(HERE / "a.mp4", small, fps=meme.fps, audio=meme, max_size="100kB")
    shutil.copyfile(REAL, HERE / "b.mp4")
    for path in sorted(HERE.glob("*.mp4")):
        print(f"{path.name}, {path.stat().st_size / 1000:.0f} kB: {memegen.inspect(path).verdict}")


if __name__ == "__main__":
    main()
