"""SwapForm: two people, a training that can be watched, and the clip in which one has the other's face."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import ipywidgets
from IPython import display as page

from memegen.base.devices import check_torch
from memegen.base.downloads import asset
from memegen.base.errors import InputError
from memegen.base.files import plain_name
from memegen.base.progress import Progress
from memegen.look.options import Look
from memegen.media.destinations import DESTINATIONS
from memegen.media.options import Cut, Sound
from memegen.media.video import Video, write_video
from memegen.meme import make_meme
from memegen.preview import PORTRAIT
from memegen.swap.faces import FaceSet
from memegen.swap.lesson import keep_out
from memegen.swap.making import write_swap
from memegen.widgets import elements
from memegen.widgets.checkpoint import has_gpu
from memegen.widgets.jobs import Job, Turns, WholeJob
from memegen.widgets.learning import Learned, LearningView, said_of
from memegen.widgets.person import PersonChoice
from memegen.widgets.platforms import somebody_there, under_voila
from memegen.widgets.result import INTO_VIEW, sounding
from memegen.widgets.waiting import answering
from memegen.widgets.work import Work

CPU_MINUTES, GPU_MINUTES = 2.5, 0.7
SAMPLE_SONG, SAMPLE_SECONDS = "happy-birthday", 8.0  # what the portrait sings in the bundled material
SAMPLE_BODY = "daisy-bell"
BESIDE = 480  # longest side in pixels of the original beside the result
CONSENT = "Both people agreed to a face swap: the one whose face it is, and the one who gets it"
ASK = "Tick the box first: both people have to agree, the one whose face it is and the one who gets it."
RULES = (
    "For jokes and lessons that both people are fine with. The clip is labelled and marked as made with AI. "
    "Never pass it off as real."
)
TRAIN = "Train and swap"
STOPPED = f"Stopped. What was learned is kept: press “{TRAIN}” to go on from there."
FACE_ADVICE = (
    "The person whose face you want to see: half a minute of talking or singing, well lit, looking at the camera. "
    "Or 20 photos or more."
)
BODY_ADVICE = "The person who gets that face, in a clip. What this person does stays; only the face changes."
SYNC = (
    "const other = this.closest('.memegen').querySelector('.meme-result video'); "
    "if (other && Math.abs(other.currentTime - this.currentTime) > 0.2) this.currentTime = other.currentTime;"
)
# Two clips of one moment: the small one follows the large one.

_put: Callable[[object], object] = page.display


class SwapForm:
    """A form that swaps a face: `choose()`, `train()` and `watch()` show its steps, each as the last line of a cell.

    Args:
        faces: The first material of the person whose face it is, a file or a folder of photos; the sample when empty.
        body: That of the person who gets it.
        minutes: How long to train; 0 is short: 2.5 minutes, with a GPU 40 seconds.
        permission: Whether both people agreed; if not, the form asks.

    Attributes:
        work: Starts and stops the training and the swap, and waits for them. After a stop, what was learned is kept.

    Raises:
        UnavailableError: torch is not installed.
    """

    def __init__(self, faces: str = "", body: str = "", *, minutes: float = 0.0, permission: bool = False) -> None:
        check_torch("Face swaps", "swap")
        self._clips: tuple[Video, Video] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="memegen-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._first, self._permission = (faces, body), permission
        self._learned: Learned | None = None
        self._enough = threading.Event()
        self._count = 0
        people = (("Whose face?", FACE_ADVICE, self._sample_face), ("Who gets it?", BODY_ADVICE, _sample_body))
        self._people = [
            PersonChoice(*words, sample=sample, folder=self._folder / name, changed=self._changed)
            for name, (*words, sample) in zip(("faces", "body"), people, strict=True)
        ]
        self.work = Work(TRAIN, begin=self._begin, stopped=STOPPED, turns=Turns())
        self._build(minutes or (GPU_MINUTES if has_gpu() else CPU_MINUTES))

    def _build(self, minutes: float) -> None:
        self._consent = elements.checkbox(CONSENT)
        self._consent.observe(lambda _: self.work.status.forget(), "value")
        self._asking = elements.column(self._consent, elements.note(RULES))
        self._minutes = elements.control(
            ipywidgets.BoundedFloatText, "Minutes of training", value=minutes, min=0.01, max=600, step=0.5
        )
        self._good = elements.button("Good enough: swap now", self._enough.set, hint="End the training and swap now")
        self._view = LearningView()
        self._result, self._original = ipywidgets.HTML(), ipywidgets.HTML()
        self._download = elements.Download()
        pair = elements.row(*(elements.column(one.panel) for one in self._people), style="meme-pair")
        self._steps = elements.panel(pair, self._asking)
        self._training = elements.panel(
            self._minutes, self.work.button, self.work.status.panel, elements.row(self._good), self._view.panel,
        )  # fmt: skip
        clips = elements.row(elements.column(self._result), elements.column(self._original), style="meme-pair")
        self._last = elements.panel(clips, self._download.panel)
        elements.show(self._good, False)

    # What cells call

    def choose(self) -> None:
        """Show the choice of two people, and begin to cut out their faces; wait if nobody is there."""
        _put(self._steps)
        for person, first in zip(self._people, self._first, strict=True):
            if first:
                person.choose(first)
            else:
                person.choose_sample()
        self._consent.value = self._permission
        if not somebody_there():
            for person in self._people:
                person.wait()

    def train(self) -> None:
        """Show the training, and start it; wait for the clip if nobody is there to press Stop.

        In a Voilà app every visit runs every cell, so there only the button starts it.
        """
        _put(self._training)
        if not under_voila():
            self.work.start()
            if not somebody_there():
                self.work.wait()

    def watch(self) -> None:
        """Show where the clip appears."""
        _put(self._last)

    async def learned(self) -> Learned:
        """Wait until the training and the swap are over, or stopped, and return what was learned.

        `await` it in a cell: the buttons work meanwhile. Interrupting the cell stops the training, and what was learned
        until then is returned.

        Raises:
            InputError: Nothing was learned yet.
        """
        await answering(lambda: not self.work.running, self.work.stop)
        if self._learned is None:
            raise InputError(f"Nothing was learned yet: choose two people above, press “{TRAIN}”, and run this again.")
        return self._learned

    @property
    def clip(self) -> Video:
        """The finished clip.

        Raises:
            InputError: There is none yet.
        """
        return self._finished()[0]

    @property
    def original(self) -> Video:
        """The clip that it was made of.

        Raises:
            InputError: There is no finished clip yet.
        """
        return self._finished()[1]

    def _finished(self) -> tuple[Video, Video]:
        if self._clips is None:
            raise InputError(
                f"There is no swapped clip yet: press “{TRAIN}” above, and run this again when it is done."
            )
        return self._clips

    # What is chosen

    def _changed(self) -> None:
        """Bring the page up to date with other material: a training of others is over, and both have to agree anew."""
        self.work.stop()
        self.work.status.forget()
        self._learned, self._consent.value = None, False
        elements.show(self._asking, any(person.own for person in self._people))

    def _begin(self) -> Callable[[Job], None]:
        """Read what is chosen now, and return the work that trains and swaps."""
        if any(person.own for person in self._people) and not self._consent.value:
            raise InputError(ASK)
        minutes = float(self._minutes.value)

        def work(job: Job) -> None:
            self.work.status.say("Waiting for the faces of both people …")
            whole = [person.wait_in(job) for person in self._people]
            body = self._people[1].clip  # told before the training if there is none
            self._train(job, whole, minutes)
            self._swap(job, body)

        return work

    # The training

    def _train(self, job: Job, whole: list[FaceSet], minutes: float) -> None:
        """Learn for some minutes more than before, or until it is good enough."""
        from memegen.swap.swapper import load_swapper
        from memegen.swap.training import train_swap

        (seen_a, unseen_a), (seen_b, unseen_b) = map(keep_out, whole)
        file = self._folder / f"{seen_a.key}-{seen_b.key}.safetensors"
        before = load_swapper(file).seconds if file.is_file() else 0.0
        self._enough.clear()
        self.work.status.say("Getting the networks ready …")
        self._view.begin((seen_a, seen_b), unseen_a, new=self._learned is None)
        elements.show(self._good, True)
        states = train_swap(seen_a, seen_b, minutes=minutes + before / 60, checkpoint=file)
        begun = time.monotonic()
        try:
            with closing(states):
                for state in states:
                    if self._enough.is_set():
                        state = state._replace(ended="it is good enough")
                    self._learned = Learned(state.swapper, (seen_a, seen_b), (unseen_a, unseen_b), self._view.moments)
                    spent = state.swapper.seconds - before
                    self.work.status.reach(said_of(state), spent / (60 * minutes), time.monotonic() - begun)
                    self._view.show(state)
                    job.check()
                    if state.ended:
                        break
        finally:
            elements.show(self._good, False)

    # The clip

    def _swap(self, job: Job, body: Video) -> None:
        """Put the face into the body's clip, and that into the page."""
        if self._learned is None:
            return
        self._count += 1
        folder = self._folder / str(self._count)  # one for each clip, so that none is overwritten
        folder.mkdir(parents=True)
        out = folder / f"swap-{plain_name(body.path.stem)[:40]}.mp4"
        dress = Look(), Cut(), Sound(), DESTINATIONS["anywhere"]
        tell = WholeJob(self.work.status, job)
        clip = write_swap(out, self._learned.swapper, body, dress, onto=self._people[1].number, progress=tell)
        job.check()
        self.work.status.say("Putting it on the page …")
        small = write_video(folder / "original.mp4", body.frames(max_side=BESIDE), fps=body.fps, audio=None)
        self._clips = clip, body
        self._show(clip, small)

    def _show(self, clip: Video, original: Video) -> None:
        """Put the finished clip into the page, beside a small copy of the original."""
        more = f'onloadeddata="{INTO_VIEW}"'
        self._result.value = elements.figure(sounding(clip, "The swap", more), "The swap. Its sound is the original's.")
        beside = sounding(original, "The original", f'ontimeupdate="{SYNC}"')
        self._original.value = elements.figure(beside, "The original, at the same moment.")
        self._download.offer(clip.path)
        self.work.status.say(f"Done: {clip.path.name}, {clip.duration:.1f} s. It is below.")

    # The bundled material

    def _sample_face(self, progress: Progress) -> tuple[Path, str]:
        """Let the bundled portrait sing, once."""
        out = self._folder / "portrait.mp4"
        if not out.is_file():
            make_meme(PORTRAIT, SAMPLE_SONG, out=out, duration=SAMPLE_SECONDS, mute=True, progress=progress)
        return out, "Grace Hopper"


def _sample_body(progress: Progress) -> tuple[Path, str]:
    return asset(f"templates/{SAMPLE_BODY}.mp4"), "the drawn singer"
