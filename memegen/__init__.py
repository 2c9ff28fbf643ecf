"""Turn one photo into a singing meme.

    import memegen
    meme = memegen.make_meme("me.jpg", "daisy-bell")  # a template's name, or any video or song
    meme.save("me.mp4")                               # in a notebook, `meme` as a cell's last line plays

The same thing spelled out:

    template = memegen.load_template("daisy-bell")
    driving = memegen.open_video(template.path)
    photo = memegen.read_image("me.jpg")
    animator = memegen.load_animator("mesh")
    frames = animator.animate(photo, driving)         # a generator, frame by frame
    meme = memegen.write_video("me.mp4", frames, fps=driving.fps, audio=driving)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from memegen.base.version import __version__ as __version__

if TYPE_CHECKING:
    from memegen.animator import Animator, load_animator
    from memegen.base.errors import DownloadError, InputError, MemegenError, NoFaceError, OutputError, UnavailableError
    from memegen.base.processes import Processes
    from memegen.batch import cluster, make_batch
    from memegen.face.cropping import FaceBox, crop_face
    from memegen.face.detection import detect_faces, face_mesh
    from memegen.face.tracking import crop_video, track_face
    from memegen.media.images import read_image
    from memegen.media.options import Sound
    from memegen.media.video import Video, from_moviepy, open_video, write_video
    from memegen.meme import make_meme
    from memegen.provenance.inspection import inspect
    from memegen.swap.making import swap
    from memegen.templates import TEMPLATES, Template, load_template
    from memegen.widgets import MemeForm, SwapForm

_HOMES = {  # public name: module, imported at first use so that `import memegen` and `memegen --help` are instant
    **dict.fromkeys(["Animator", "load_animator"], "animator"),
    **dict.fromkeys(
        ["MemegenError", "InputError", "NoFaceError", "DownloadError", "OutputError", "UnavailableError"], "base.errors"
    ),
    **dict.fromkeys(["FaceBox", "crop_face"], "face.cropping"),
    **dict.fromkeys(["detect_faces", "face_mesh"], "face.detection"),
    **dict.fromkeys(["crop_video", "track_face"], "face.tracking"),
    "inspect": "provenance.inspection",
    "Processes": "base.processes",
    **dict.fromkeys(["cluster", "make_batch"], "batch"),
    "read_image": "media.images",
    "make_meme": "meme",
    **dict.fromkeys(["MemeForm", "SwapForm"], "widgets"),
    **dict.fromkeys(["TEMPLATES", "Template", "load_template"], "templates"),
    "Sound": "media.options",
    "swap": "swap",
    **dict.fromkeys(["Video", "from_moviepy", "open_video", "write_video"], "media.video"),
}

__all__ = [
    "TEMPLATES",
    "Animator",
    "DownloadError",
    "FaceBox",
    "InputError",
    "MemeForm",
    "MemegenError",
    "NoFaceError",
    "OutputError",
    "Processes",
    "Sound",
    "SwapForm",
    "Template",
    "UnavailableError",
    "Video",
    "cluster",
    "crop_face",
    "crop_video",
    "detect_faces",
    "face_mesh",
    "from_moviepy",
    "inspect",
    "load_animator",
    "load_template",
    "make_batch",
    "make_meme",
    "open_video",
    "read_image",
    "swap",
    "track_face",
    "write_video",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'memegen' has no attribute {name!r}")
    home = import_module(f"memegen.{_HOMES[name]}")
    return getattr(home, name, home)  # a room that can be called is a verb itself


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
