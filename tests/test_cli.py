"""The command line: what it makes, what it says, and one plain line for everything that can go wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from http_server import QUOTA_PAGE, HttpServer
from media import describe, ffmpeg, make_clicks, make_clip
from PIL import Image

import memegen
from memegen import templates
from memegen.base.downloads import Mirror, asset
from memegen.cli import main
from memegen.media.video import open_video
from memegen.provenance import consent
from memegen.templates import TEMPLATES

CLIP = asset("templates/daisy-bell.mp4")
SHORT = ("--duration", "0.12", "--mute")
COMMAND = (sys.executable, "-m", "memegen")
ROOT = Path(memegen.__file__).parents[1]
COMMANDS = "make, batch, swap, demo, templates, checkpoints, inspect"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_photo: Path) -> Path:
    """Each test runs in a folder of its own, with a photo `me.png` in it."""
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / ".cache"))
    monkeypatch.setenv("MEMEGEN_CONFIG", str(tmp_path / ".config"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    shutil.copy(small_photo, "me.png")
    consent.remember()
    return tmp_path


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


@pytest.fixture
def mistake(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that has to fail, and return its one line."""

    def run(*words: str | Path, code: int = 1) -> str:
        try:
            ended = main([str(word) for word in words])
        except SystemExit as stop:  # argparse's way
            ended = stop.code
        assert ended == code
        said = capfd.readouterr()
        assert said.out == ""
        return one_line(said.err)

    return run


def one_line(said: str) -> str:
    """Return the only line of an error, progress bars aside."""
    lines = [line for line in said.splitlines() if line and not re.search(r"(frames|B)/s\]|s/ frames\]", line)]
    assert len(lines) == 1, said
    assert lines[0].startswith("memegen: ")
    assert lines[0].endswith(".")
    assert "Traceback" not in said
    assert "Error(" not in lines[0]
    return lines[0].removeprefix("memegen: ")


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run memegen as a user does."""
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def left(folder: Path) -> list[str]:
    """What is in a folder beside the photo and the cache."""
    return sorted(path.name for path in folder.iterdir() if path.name not in ("me.png", ".cache", ".config"))


# What it makes


def test_make(here: Path) -> None:
    done = run("make", "me.png", "daisy-bell", "-o", "sung.mp4", "--start", "0.4", "--duration", "0.4")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sung.mp4: 0.4 s with sound, 204 x 240, made in ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""  # bars are for terminals
    clip = open_video("sung.mp4")
    assert clip.has_audio
    assert clip.frame_count == 10
    assert left(here) == ["sung.mp4"]


def test_options_reach_the_clip(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    song = make_clicks(here / "song.wav", seconds=1, at=(0.05,))
    make = ["make", "me.png", "daisy-bell", "--start", "1", "--duration", "0.2"]
    assert main([*make, "-o", "plain.mp4"]) == 0
    assert main([*make, "-o", "own.mp4", "--audio", str(song), "--face", "0", "--engine", "mesh"]) == 0
    assert main([*make, "-o", "calm.mp4", "--mute", "--expression", "0", "--motion", "0"]) == 0
    capfd.readouterr()
    assert [open_video(f"{name}.mp4").has_audio for name in ("plain", "own", "calm")] == [True, True, False]
    plain, own, calm = (np.array(list(open_video(f"{name}.mp4").frames())) for name in ("plain", "own", "calm"))
    assert np.array_equal(plain, own)
    photo = cv2.imread("me.png")[..., ::-1][:, :204]
    assert np.abs(calm.astype(int) - photo).mean() < 0.7 * np.abs(plain.astype(int) - photo).mean()


def test_a_look_reaches_the_clip(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--top", "when the code", "--bottom", "compiles", "--format", "square", "--subtitles", "--intro", "Daisy"]
    sound = ["--offset", "40", "--fade-in", "0.1", "--fade-out", "0.1", "--loudness", "off", "--loop"]
    make = ["make", "me.png", "--start", "0.4", "--duration", "0.4", "--side-by-side", "--bars", "black"]
    assert main([*make, *words, *sound, "-o", "all.mp4", "--label-corner", "top-left"]) == 0
    clip = open_video("all.mp4")
    assert (clip.width, clip.height) == (1080, 1080)
    assert clip.frame_count == 35
    assert clip.has_audio
    assert capfd.readouterr().out.startswith("all.mp4: 1.4 s with sound, 1080 x 1080")


def test_the_ending_decides_and_the_limit_holds(here: Path) -> None:
    assert main(["make", "me.png", "-o", "me.gif", "--duration", "0.4", "--max-size", "60 kB"]) == 0
    assert (here / "me.gif").stat().st_size <= 60_000
    assert main(["make", "me.png", "-o", "me.webp", "--duration", "0.4", "--format", "sticker"]) == 0
    with Image.open("me.webp") as sticker:
        assert sticker.size == (512, 512)
        assert sticker.n_frames > 2
    assert main(["make", "me.png", "-o", "still.png", "--duration", "0.4"]) == 0
    with Image.open("still.png") as still:
        assert still.size == (204, 240)


def test_everybody_and_duets(here: Path) -> None:
    photo = cv2.imread("me.png")
    cv2.imwrite("two.png", np.hstack([photo, photo[:, ::-1]]))
    make = ["make", "two.png", "--mute", "--no-label", "--start", "0.6", "--duration", "0.4"]
    assert main([*make, "--face", "all", "-o", "all.mp4"]) == 0
    assert main([*make, "--face", "1", "-o", "right.mp4"]) == 0
    assert main([*make, "--face", f"1={CLIP}", "--face", "0=daisy-bell", "-o", "duet.mp4"]) == 0
    still = cv2.resize(np.hstack([photo, photo[:, ::-1]]), (410, 240))[..., ::-1].astype(int)
    moved = {}
    for name in ("all", "right", "duet"):
        last = list(open_video(f"{name}.mp4").frames())[-1]
        change = np.abs(last.astype(int) - still).mean(2)
        moved[name] = change[:, 40:165].mean(), change[:, 245:370].mean()
    assert moved["right"][0] < 0.5 * moved["right"][1]
    for name in ("all", "duet"):
        assert moved[name] == pytest.approx((moved["right"][1],) * 2, rel=0.3)


def test_permission_is_asked_for_once(
    here: Path, mistake: Callable[..., str], capfd: pytest.CaptureFixture[str]
) -> None:
    (here / ".config" / "has-permission").unlink()
    question = "Has everybody in the photo or video agreed to be in a meme? If so, add --i-have-permission;"
    assert mistake("make", "me.png", *SHORT).startswith(question)
    assert mistake("batch", "me.png", "daisy-bell", "-o", "clips").startswith(question)
    assert left(here) == []
    assert main(["make", "me.png", "--i-have-permission", *SHORT]) == 0
    assert main(["make", "me.png", *SHORT]) == 0


@pytest.mark.parametrize("agreed", [[], ["--i-have-permission"]])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("make gone.png", "There is no photo at gone.png: check the spelling and the folder."),
        ("make empty.png", "empty.png is empty"),
        ("make me.png gone.mp4", "There is no template or video file 'gone.mp4'."),
        ("make me.png daisy-bel", "Did you mean 'daisy-bell'?"),
        ("make me.png --face 0=daisy-bell --face 1=gone.mp4", "There is no template or video file 'gone.mp4'."),
        ("make me.png -o gone/out.mp4", "There is no folder "),
        ("make me.png -o out.avi", "out.avi has an unknown ending"),
        ("make me.png --engine voxx", "Did you mean 'vox'?"),
        ("make me.png --engine gone.pth.tar", "There is no checkpoint at gone.pth.tar: check the spelling"),
        ("make me.png --max-size 10", "The size 10 has no unit: write 10MB or 500kB."),
        ("make me.png --expression 9", "The expression is 9"),
        ("batch clas/ daisy-bell -o clips", "There is no photo or folder at clas/: check the spelling and the folder."),
        ("batch me.png gone.png daisy-bell -o clips", "There is no photo or folder at gone.png"),
        ("batch none daisy-bell -o clips", "The folder none has no photos"),
        ("batch me.png daisy-bel -o clips", "Did you mean 'daisy-bell'?"),
        ("batch me.png daisy-bell -o clips --kind avi", "There is no kind of clip '.avi': use one of .mp4, "),
        ("batch me.png daisy-bell -o clips --report no/table.csv", "There is no folder no for the report: create it"),
    ],
)
def test_what_is_missing_is_said_before_permission_is_asked_for(
    here: Path, mistake: Callable[..., str], words: str, message: str, agreed: list[str]
) -> None:
    Path("none").mkdir()
    Path("empty.png").touch()
    (here / ".config" / "has-permission").unlink()
    assert message in mistake(*words.split(), *agreed)
    assert not consent.remembered()
    assert left(here) == ["empty.png", "none"]


def test_without_the_label_the_other_marks_stay(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["make", "me.png", "-o", "bare.mp4", "--no-label", "--duration", "0.4"]) == 0
    said = capfd.readouterr().err
    assert said.count("There is no label: wherever you post the clip, say that it was made with AI.") == 1
    assert main(["make", "me.png", "-o", "usual.mp4", "--duration", "0.4"]) == 0
    assert "There is no label" not in capfd.readouterr().err
    corner = np.s_[-30:, 40:]
    bare, usual = (next(open_video(f"{name}.mp4").frames())[corner].astype(int) for name in ("bare", "usual"))
    assert np.abs(bare - usual).mean() > 8
    for name in ("bare", "usual"):
        report = memegen.inspect(f"{name}.mp4")
        assert report.template == "daisy-bell"
        assert report.metadata.source_type is not None
        assert report.credentials.state == "intact"


def test_inspect(here: Path, capfd: pytest.CaptureFixture[str], mistake: Callable[..., str]) -> None:
    assert main(["make", "me.png", "-o", "me.mp4", "--duration", "0.4"]) == 0
    capfd.readouterr()
    assert main(["inspect", "me.mp4"]) == 0
    said = capfd.readouterr().out
    assert said.startswith("me.mp4: Made with memegen")
    assert "unchanged since it was signed as" in said
    assert "template daisy-bell" in said
    assert main(["inspect", "me.mp4", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["credentials"]["state"] == "intact"
    assert told["template"] == "daisy-bell"
    (here / "notes.txt").write_text("nothing to see")
    assert "neither a picture nor a clip" in mistake("inspect", "notes.txt")


def test_batch(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copy("me.png", "you.png")
    cv2.imwrite("wall.png", np.full((99, 99, 3), 120, np.uint8))
    batch = ["batch", "me.png", "wall.png", "you.png", "daisy-bell", "-o", "clips", *SHORT]
    assert main(batch) == 1  # as one failed
    said = capfd.readouterr().out.splitlines()
    assert said[0].startswith("made   me.png: clips/me.mp4 (")
    assert said[1].startswith("failed wall.png: No face was found")
    assert said[2].startswith("made   you.png")
    assert said[3] == "2 of 3 photos sing; the table is in clips/report.csv."
    assert said[4].startswith("Failed: wall.png: No face was found")
    assert left(here / "clips") == ["me.mp4", "report.csv", "you.mp4"]
    assert main([*batch, "--resume"]) == 1
    assert capfd.readouterr().out.count("kept ") == 2
    assert main(["batch", "me.png", "daisy-bell", "-o", "clips", "--resume", *SHORT]) == 0


def test_the_clip_is_named_after_photo_and_template(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["make", "me.png", *SHORT]) == 0
    assert main(["make", "me.png", str(CLIP), *SHORT]) == 0
    assert left(here) == ["me-daisy-bell.mp4"]
    assert "me-daisy-bell.mp4: 0.1 s without sound" in capfd.readouterr().out


def test_demo(monkeypatch: pytest.MonkeyPatch, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[object, ...]] = []

    def remember(photo: Path, template: str, *, out: Path, **_: object) -> object:
        asked.append((photo.name, template, out))
        return open_video(CLIP)

    monkeypatch.setattr("memegen.meme.make_meme", remember)
    assert main(["demo"]) == 0
    assert main(["demo", "-o", "other.mp4"]) == 0
    assert [out for *_, out in asked] == [Path("memegen-demo.mp4"), Path("other.mp4")]
    assert asked[0][:2] == ("portrait.jpg", "daisy-bell")
    assert capfd.readouterr().out.startswith("memegen-demo.mp4: 11.9 s with sound")


def test_templates_are_listed_with_their_credit(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["templates"]) == 0
    said = capfd.readouterr().out
    for template in TEMPLATES:
        assert template.name in said
        assert template.credit in said
        assert template.licence in said
    assert "daisy-bell (bundled)" in said
    assert "baka-mitai (downloaded at first use)" in said


@pytest.mark.parametrize("words", [["--version"], ["--help"], *([name, "--help"] for name in COMMANDS.split(", "))])
def test_questions_are_answered(
    words: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out == f"memegen {memegen.__version__}\n" if words == ["--version"] else "usage: memegen" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    if words[0] == "make":
        options = ["out", "engine", "start", "duration", "face", "audio", "mute", "expression", "motion"]
        assert all(f"--{option}" in said.out for option in options)


@pytest.mark.parametrize("statement", ["import memegen", "from memegen.cli import main; main(['--help'])"])
def test_nothing_heavy_is_imported_for_a_question(statement: str) -> None:
    script = (
        f"import sys\ntry:\n    {statement}\nexcept SystemExit: pass\n"
        "sys.stderr.write(' '.join({'torch', 'cv2', 'numpy', 'PIL', 'requests', 'tqdm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""


# Names


@pytest.mark.parametrize("name", ["my best photo", "Фото ばか 😀", 'it\'s 100% "me"; $HOME'])
def test_awkward_names(here: Path, name: str) -> None:
    photo = Path("me.png").rename(f"{name}.png")
    shutil.copy(CLIP, f"{name}.mp4")
    done = run("make", photo, f"{name}.mp4", "-o", f"{name} sings.mp4", *SHORT)
    assert done.returncode == 0, done.stderr
    assert f"{name} sings.mp4: 0.1 s" in done.stdout
    assert left(here) == sorted([f"{name}.png", f"{name}.mp4", f"{name} sings.mp4"])


def test_names_with_a_leading_dash(here: Path) -> None:
    Path("me.png").rename("-me.png")
    shutil.copy(CLIP, "-clip.mp4")
    assert run("make", *SHORT, "--out=-out.mp4", "--", "-me.png", "-clip.mp4").returncode == 0
    assert run("make", *SHORT, "--", "-me.png").returncode == 0
    assert left(here) == ["-clip.mp4", "-me-daisy-bell.mp4", "-me.png", "-out.mp4"]
    done = run("make", "-me.png", "-clip.mp4")
    assert done.returncode == 2
    assert "See memegen make --help" in one_line(done.stderr)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such file names")
def test_a_name_that_is_no_text(here: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    Path("me.png").rename(name)
    for encoding in ("utf-8:strict", "ascii:strict"):
        words = [*COMMAND, "make", name, *SHORT]
        strict = os.environ | {"PYTHONIOENCODING": encoding}
        done = subprocess.run(words, env=strict, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(b"caf\\udce9-daisy-bell.mp4: 0.1 s")
    assert left(here) == [os.fsdecode(b"caf\xe9-daisy-bell.mp4"), name]


# Wrong commands


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", f"Begin with a command: {COMMANDS}. See memegen --help."),
        ("--verbose make me.png", f"Begin with a command: {COMMANDS}. See memegen --help."),
        ("sing", f"There is no command 'sing'. Known commands: {COMMANDS}. See memegen --help."),
        ("mak", f"There is no command 'mak'. Did you mean 'make'? Known commands: {COMMANDS}. See memegen --help."),
        ("bach me.png", "There is no command 'bach'. Did you mean 'batch'? Known commands: "),
        ("make", "Missing: PHOTO. See memegen make --help."),
        ("inspect", "Missing: FILE. See memegen inspect --help."),
        ("batch me.png -o clips", "Missing: TEMPLATE. See memegen batch --help."),
        ("batch me.png daisy-bell", "Missing: -o/--out. See memegen batch --help."),
        (
            "make me.png --expresion 1",
            "There is no option '--expresion'. Did you mean '--expression'? See memegen make",
        ),
        (
            "make --expresion=1 me.png",
            "There is no option '--expresion'. Did you mean '--expression'? See memegen make",
        ),
        ("make me.png --hush", "There is no option '--hush'. See memegen make --help."),
        (
            "make me.png daisy-bell b c",
            "Too many words: b c. Put a name with spaces in quotes. See memegen make --help.",
        ),
        ("make me.png --start soon", "--start: 'soon' is not a number: write it as in 1.5. See memegen make --help."),
        ("make me.png --duration 0,5", "--duration: '0,5' is not a number: write it as in 1.5. See"),
        ("make me.png --loudness loud", "--loudness: 'loud' is not a number: write it as in 1.5. See"),
        ("make me.png --out", "-o/--out needs a value. See memegen make --help."),
        (
            "make me.png --f 1",
            "--f can mean --face, --framing, --for, --from-sound, --format, --fade-in, --fade-out, --first-frame",
        ),
        ("make me.png --format oval", "--format can't be 'oval': choose one of "),
        ("make me.png --no-label --label x", "--no-label and --label can't be used together: leave one out. See"),
        ("make me.png --no-label=x", "--no-label takes no value: leave 'x' out. See memegen make --help."),
        ("make me.png --crop 1,2", "--crop: '1,2' is not a box: give LEFT,TOP,RIGHT,BOTTOM in pixels. See"),
        ("make me.png --crop 9,9,1,1", "--crop: 9,9,1,1 is empty: LEFT must be less than RIGHT, and TOP less than"),
        ("batch me.png me.png -o clips", "The last word, me.png, is a photo or a folder: add a template after it. See"),
    ],
)
def test_a_command_that_is_not_understood_is_one_line(
    mistake: Callable[..., str], here: Path, words: str, message: str
) -> None:
    assert mistake(*words.split(), code=2).startswith(message)
    assert left(here) == []


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["me.png"], "make me.png"),
        (["gone.jpg", "daisy-bell", "--top", "a b"], "make gone.jpg daisy-bell --top 'a b'"),
        (["my photo", "daisy-bell"], "make 'my photo' daisy-bell"),
        (["class", "daisy-bell", "-o", "clips"], "batch class daisy-bell -o clips"),
        (["make", "daisy-bell", "me.png"], "make me.png daisy-bell"),
        (["make", "--mute", "daisy-bell", "gone.jpg", "--top", "a b"], "make --mute gone.jpg daisy-bell --top 'a b'"),
        (["make", "clip.mp4", "me.png"], "make me.png clip.mp4"),
        (["batch", "daisy-bell", "class", "-o", "clips"], "batch class daisy-bell -o clips"),
    ],
)
def test_words_that_are_missing_or_swapped_are_put_right(
    mistake: Callable[..., str], here: Path, words: list[str], meant: str
) -> None:
    shutil.copy("me.png", "my photo")
    Path("class").mkdir()
    (here / ".config" / "has-permission").unlink()
    assert f" Did you mean `memegen {meant}`? See memegen " in mistake(*words, code=2)
    assert left(here) == ["class", "my photo"]


def test_a_photo_with_a_templates_name_and_a_clip_with_a_pictures_ending_are_not_swapped(
    here: Path, mistake: Callable[..., str]
) -> None:
    shutil.copy("me.png", "daisy-bell")
    Path("dance.gif").write_text("not a clip")
    for photo in ("daisy-bell", "me.png"):
        assert "dance.gif" in mistake("make", photo, "dance.gif", "-o", "out.mp4")


def test_words_and_options_come_in_any_order(here: Path) -> None:
    assert main(["make", "--mute", "me.png", "--duration", "0.12", "daisy-bell", "-o", "me.mp4"]) == 0
    assert main(["batch", "me.png", "me.png", "-o", "clips", "daisy-bell", *SHORT]) == 0
    assert left(here) == ["clips", "me.mp4"]
    assert left(here / "clips") == ["me-2.mp4", "me.mp4", "report.csv"]


def test_the_engine_has_the_names_that_it_has_in_python(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("memegen.fomm.checkpoint.check_installed", lambda: None)
    monkeypatch.setattr("memegen.meme.make_meme", lambda *_, engine, **__: asked.append(engine) or open_video(CLIP))
    Path("my.pth.tar").write_bytes(b"weights")
    names = ["mesh", "vox", "vox-adv", "tiny", "my.pth.tar"]
    for name in names:
        assert main(["make", "me.png", "--engine", name]) == 0
    assert main(["make", "me.png"]) == 0
    assert asked == [*names, "mesh"]
    assert main(["make", "me.png", "--engine", "vox", "--exact", "--crop", "1,2,3,4"]) == 0


def test_what_an_engine_can_not_do_and_engines_that_are_none(mistake: Callable[..., str]) -> None:
    said = mistake("make", "me.png", "--crop", "1,2,3,4", "--exact", "--device", "cpu")
    assert said == "The engine mesh can't use --crop or --device or --exact: leave that out, or add --engine vox."
    said = mistake("make", "me.png", "--engine", "voxx")
    assert said.startswith("There is no engine or file 'voxx'. Did you mean 'vox'? Known engines: mesh, vox, vox-adv, ")
    assert said.endswith("nemo, bair, tiny; the path of a checkpoint works too. Or use --engine mesh.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--start", "-1"], "The start is -1: give 0 or more seconds."),
        (["--start", "60"], "The start, 60 s, is past the end of"),
        (["--start", "nan"], "The start is nan: give 0 or more seconds."),
        (["--duration", "0"], "The duration is 0.0 s: it has to be more than 0."),
        (["--duration", "0.01"], "has fewer than two frames"),
        (["--expression", "9"], "The expression is 9: give 0 to 3 times the driver's own."),
        (["--motion", "nan"], "The motion is nan: give 0 to 3 times"),
        (["--engine", "magic"], "'magic'"),
        (["--max-size", "10000000"], "The size 10000000 has no unit: write 10MB or 500kB."),
        (["--face", "1"], "Face 1 was asked for, but the photo has 1"),
        (["--face", "-1"], "Face -1 was asked for, but the photo has 1"),
        (["--face", "left"], "--face is 'left': give a number, counted from 0 at the left, or all."),
        (["--face", "0", "--face", "1"], "Several faces: give --face all, or each its song"),
        (["--face", "0=daisy-bell", "--face", "1"], "in a duet every face needs its own song"),
        (["--face", "0=daisy-bell", "--face", "3=daisy-bell"], "Face 3 was asked for, but the photo has 1"),
        (["--face", "0=daisy-bel"], "There is no template or video file 'daisy-bel'"),
        (["--duration", "0.4", "--top", "x" * 2000], "too long"),
        (["--bottom", "\ue000"], "U+E000"),
        (["--subtitles", "gone.lrc"], "gone.lrc"),
        (["--bars", "sky"], "sky"),
        (["--label", " "], "The label has no letters"),
        (["--max-size", "small"], "small"),
        (["--fade-in", "-1"], "The fade in is -1: give 0 or more seconds."),
        (["--loudness", "3"], "The loudness is 3"),
        (["--audio", "gone.mp3"], "There is no sound file at gone.mp3"),
        (["--audio", "me.png"], "me.png has no sound that can be read"),
        (
            ["-o", "out.avi"],
            "out.avi has an unknown ending: use one of .mp4, .mov, .m4v, .webm, .gif, .webp, .apng, .png.",
        ),
        (["-o", "out"], "out has an unknown ending"),
        (["-o", "gone/out.mp4"], "There is no folder"),
        (["-o", "me.png"], "me.png is also an input and would be overwritten: choose another name."),
    ],
)
def test_a_senseless_option_is_one_line(
    mistake: Callable[..., str], here: Path, options: list[str], message: str
) -> None:
    assert message in mistake("make", "me.png", *options)
    assert left(here) == []


# Bad photos


def test_bad_photos(mistake: Callable[..., str], here: Path) -> None:
    Path("empty.jpg").touch()
    Path("text.jpg").write_text("not a photo")
    Path("half.png").write_bytes(Path("me.png").read_bytes()[:20000])
    Path("folder.jpg").mkdir()
    cv2.imwrite("wall.png", np.full((80, 80, 3), 180, np.uint8))
    Path("photo.psd").write_bytes(b"8BPS" + bytes(100))
    shutil.copy(CLIP, "clip.mp4")
    cases = {
        "gone.jpg": "There is no photo at gone.jpg: check the spelling and the folder.",
        "empty.jpg": "empty.jpg is empty: copy or download the photo again.",
        "text.jpg": "text.jpg",
        "half.png": "half.png is damaged or incomplete",
        "folder.jpg": "folder.jpg is a folder: give the photo file itself.",
        "wall.png": "No face was found in the photo: try one where a single face looks at the camera",
        "photo.psd": "photo.psd",
        "": "is a folder",
        "a\0b.jpg": "can't be read",
    }
    for name, message in cases.items():
        assert message in mistake("make", name, *SHORT, "-o", "out.mp4")
    assert "out.mp4" not in left(here)


def test_photos_from_addresses(mistake: Callable[..., str], server: HttpServer, here: Path) -> None:
    photo = server.add("/me.png", Path("me.png").read_bytes())
    assert main(["make", photo, *SHORT]) == 0
    assert left(here) == ["me-daisy-bell.mp4"]


def test_bad_addresses_of_photos(mistake: Callable[..., str], server: HttpServer, here: Path) -> None:
    cases = {
        server.url + "/gone.jpg": "404",
        server.add("/busy.jpg", status=429): "429",
        server.add("/page.jpg", b"<html>hello</html>"): "/page.jpg",
        "http://127.0.0.1:9/me.jpg": "127.0.0.1:9",
        "http://": "http://",
    }
    for address, message in cases.items():
        assert message in mistake("make", address, *SHORT, "-o", "out.mp4")
    assert left(here) == []


# Bad clips


def broken_clips() -> dict[str, str]:
    """Make every broken clip in the current folder; each with what has to be said of it."""
    noisy = make_clip(Path("whole.mp4"), seconds=2, filters="noise=alls=60:allf=t").read_bytes()
    Path("whole.mp4").unlink()
    Path("truncated.mp4").write_bytes(noisy[: len(noisy) // 2])
    Path("empty.mp4").touch()
    Path("text.mp4").write_text("never gonna give you up")
    Path("folder.mp4").mkdir()
    make_clip(Path("nobody.mp4"), seconds=0.6)
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32:d=1", "-frames:v", "1", "one.mp4")
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32:d=1", "-frames:v", "0", "none.avi")
    return {
        "gone.mp4": "There is no template or video file 'gone.mp4'",
        "empty.mp4": "empty.mp4 is empty: copy or download the video again.",
        "text.mp4": "text.mp4 can't be read as a video",
        "truncated.mp4": "incomplete",
        "folder.mp4": "'folder.mp4' is not a file",
        "one.mp4": "one.mp4 is a still picture of one frame",
        "none.avi": "none.avi",
        "nobody.mp4": "nobody.mp4 between 0.0 s and 0.6 s: choose a clip",
        "daisy-bel": "Did you mean 'daisy-bell'? Known templates: daisy-bell, happy-birthday, ",
        "me.txt": "Known templates: daisy-bell, happy-birthday, ",
        "gopher://example.org/clip.mp4": "only http:// and https://",
        "": "is not a file",
    }


def test_bad_clips(mistake: Callable[..., str], here: Path) -> None:
    for name, message in broken_clips().items():
        assert message in mistake("make", "me.png", name, "-o", "out.mp4")
    assert "out.mp4" not in left(here)


def test_bad_addresses_of_clips(mistake: Callable[..., str], server: HttpServer, here: Path) -> None:
    page = {"Content-Type": "text/html"}
    cases = {
        server.url + "/gone.mp4": "HTTP 404",
        server.add("/busy.mp4", status=429): "HTTP 429",
        server.add("/quota.mp4", QUOTA_PAGE, headers=page): "daily limit",
        server.add("/page.mp4", b"<!DOCTYPE html><html></html>", headers=page): "page",
        server.add("/cut.mp4", CLIP.read_bytes(), cut_after=1000): "/cut.mp4",
        server.add("/empty.mp4", b""): "/empty.mp4",
        "http://127.0.0.1:9/clip.mp4": "127.0.0.1:9",
    }
    for address, message in cases.items():
        assert message in mistake("make", "me.png", address, "-o", "out.mp4")
    assert left(here) == []


def test_a_template_with_a_wrong_checksum(
    mistake: Callable[..., str], server: HttpServer, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors = (Mirror(server.add("/a.mp4", CLIP.read_bytes()), "0" * 64), Mirror(server.url + "/gone", "1" * 64))
    broken = tuple(dataclasses.replace(t, mirrors=mirrors) if t.mirrors else t for t in TEMPLATES)
    monkeypatch.setattr(templates, "TEMPLATES", broken)
    said = mistake("make", "me.png", "baka-mitai", "-o", "out.mp4")
    assert "checksum" in said
    assert "HTTP 404" in said
    assert str(here / ".cache" / "templates" / "baka-mitai.mp4") in said
    assert left(here) == []


def test_a_clip_from_an_address(server: HttpServer, here: Path) -> None:
    assert main(["make", "me.png", server.add("/dance.mp4?take=2", CLIP.read_bytes()), *SHORT, "-o", "out.mp4"]) == 0
    assert left(here) == ["out.mp4"]


# Bad places for the result


def test_an_input_is_not_overwritten(mistake: Callable[..., str], here: Path) -> None:
    shutil.copy(CLIP, "clip.mp4")
    Path("link.mp4").symlink_to("clip.mp4")
    for out in ("clip.mp4", "./clip.mp4", "link.mp4"):
        assert "is also an input and would be overwritten" in mistake("make", "me.png", "clip.mp4", "-o", out)
    assert Path("clip.mp4").read_bytes() == CLIP.read_bytes()


def test_a_read_only_folder(mistake: Callable[..., str], here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "locked").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    real = os.access  # root may write anywhere
    monkeypatch.setattr(os, "access", lambda path, mode: "locked" not in str(path) and real(path, mode))
    assert "locked is read-only: write to another." in mistake("make", "me.png", *SHORT, "-o", "locked/out.mp4")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--top", "many words " * 60], "The top caption is too long"),
        (["--label", "many words " * 60], "The label is too long"),
        (["--max-size", "1kB"], "A clip of 2.0 s does not fit in 1 kB"),
        (["--intro", "\U000f0000"], "No font here has"),
    ],
)
def test_what_can_not_work_is_said_before_the_driver_is_watched(
    mistake: Callable[..., str], here: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.setattr("memegen.mesh.animator.watch", lambda *_: pytest.fail("the driver was watched"))
    assert said in mistake("make", "me.png", "--duration", "2", "-o", "out.mp4", *words)
    assert left(here) == []


def test_an_address_as_the_template_gives_a_short_plain_name(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clip = asset("templates/daisy-bell.mp4").read_bytes()
    with HttpServer() as server:
        address = server.add("/v/clip%20one.mp4", clip) + "?token=secret&" + "x" * 300
        assert main(["make", "me.png", address, "--duration", "0.4"]) == 0
    assert left(here) == ["me-clip_one.mp4"]
    assert "secret" not in capfd.readouterr().out


def test_ffmpeg_speaks_only_when_asked(here: Path) -> None:
    Path("clip.mp4").write_bytes(b"no clip" * 100)
    usual, wordy = (run("make", "me.png", "clip.mp4", *words).stderr for words in ((), ("--verbose",)))
    assert "Invalid data" not in usual
    assert one_line(usual) in wordy
    assert "ffmpeg says: " in wordy
    assert "Invalid data" in wordy


def test_a_sound_that_can_not_be_decoded_offers_to_leave_it_out(mistake: Callable[..., str], here: Path) -> None:
    clip = Path(__file__).with_name("cases") / "unknown_sound_codec.mp4"
    said = mistake("make", "me.png", clip, "-o", "out.mp4")
    assert said.endswith("choose another file or sound, or leave the sound out. Or use --mute.")
    assert main(["make", "me.png", str(clip), "-o", "out.mp4", "--mute", "--duration", "0.4"]) == 0


def test_a_full_disk_keeps_what_was_there(
    mistake: Callable[..., str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = here / ".cache" / "ffmpeg"
    full.parent.mkdir()
    full.write_text(
        '#!/bin/sh\ncase "$*" in *libx264*) echo "out.mp4: No space left on device" >&2; exit 1;; esac\n'
        f'exec {imageio_ffmpeg.get_ffmpeg_exe()} "$@"\n'
    )
    full.chmod(0o755)
    Path("out.mp4").write_bytes(b"earlier")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(full))
    said = mistake("make", "me.png", "--duration", "0.4", "-o", "out.mp4")
    assert said.startswith("The disk is full, so ")
    assert Path("out.mp4").read_bytes() == b"earlier"
    assert left(here) == ["out.mp4"]


def test_a_failed_run_as_the_user_sees_it(here: Path) -> None:
    Path("out.mp4").write_bytes(b"earlier")
    make_clip(Path("nobody.mp4"), seconds=0.6)
    done = run("make", "me.png", "nobody.mp4", "-o", "out.mp4")
    assert done.returncode == 1
    assert done.stdout == ""
    assert one_line(done.stderr).startswith("No face was found in ")
    assert done.stderr.endswith("in which one face stays in view.\n")
    assert Path("out.mp4").read_bytes() == b"earlier"
    assert left(here) == ["nobody.mp4", "out.mp4"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Ctrl-C reach what a test starts, also where the tests themselves run in the background, out of its reach."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before or signal.SIG_DFL)


@contextmanager
def on_terminal(*words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run memegen on a terminal of its own; yield the process and the terminal's other end."""
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (25, 100))
    with subprocess.Popen([*COMMAND, *words], stdin=end, stdout=end, stderr=end) as process:
        os.close(end)
        yield process, terminal
    os.close(terminal)


def read_terminal(terminal: int) -> bytes:
    """Return what is written on a terminal, nothing once the program has ended."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize("stage", [b"Watching the singer", b"Singing"])
def test_ctrl_c_leaves_nothing_behind(here: Path, portrait: np.ndarray, interruptible: None, stage: bytes) -> None:
    large = cv2.resize(portrait[..., ::-1], (1748, 2048), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite("large.jpg", large)  # so large that no machine is done before it can be stopped
    words = ["make", "large.jpg", "daisy-bell", "--duration", "3", "-o", "out.mp4"]
    Path("out.mp4").write_bytes(b"earlier")
    with on_terminal(*words) as (process, terminal):
        said = b""
        while stage not in said:
            said += read_terminal(terminal) or pytest.fail(said.decode())
        process.send_signal(signal.SIGINT)
        while chunk := read_terminal(terminal):
            said += chunk
    assert process.wait() == 130, said.decode()
    assert said.endswith(b"memegen: Stopped; nothing was written.\r\n")
    assert b"Traceback" not in said
    assert Path("out.mp4").read_bytes() == b"earlier"
    assert left(here) == ["large.jpg", "out.mp4"]


def test_an_ended_batch_keeps_what_is_finished(here: Path, portrait: np.ndarray) -> None:
    cv2.imwrite("large.jpg", cv2.resize(portrait[..., ::-1], (1748, 2048), interpolation=cv2.INTER_CUBIC))
    words = ["batch", "me.png", "large.jpg", "daisy-bell", "-o", "clips", "--duration", "3"]
    with on_terminal(*words) as (process, terminal):
        while not Path("clips/me.mp4").exists():
            assert read_terminal(terminal)
        said = b""
        while b"Singing" not in said:
            said += read_terminal(terminal) or pytest.fail(said.decode())
        process.terminate()
        while chunk := read_terminal(terminal):
            said += chunk
    assert process.wait() == 130
    assert b"The table of the photos so far is in clips/report.csv." in said
    assert said.endswith(b"memegen: Stopped; finished clips are kept.\r\n")
    assert left(here / "clips") == ["me.mp4", "report.csv"]
    assert Path("clips/report.csv").read_text().splitlines()[1].startswith("me.png,clips/me.mp4,made,")


def test_a_reader_that_has_heard_enough(here: Path) -> None:
    with subprocess.Popen([*COMMAND, "templates"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # type: ignore[union-attr]
        said = process.stderr.read()  # type: ignore[union-attr]
    assert process.returncode == 1
    assert said == b""


def test_the_command_is_installed() -> None:
    script = Path(sys.executable).with_name("memegen")
    if not script.is_file():
        pytest.skip("memegen is not installed here, only on the path")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"memegen {memegen.__version__}\n"


def test_the_clip_is_what_players_know(here: Path) -> None:
    assert main(["make", "me.png", "--duration", "0.2", "-o", "out.mp4"]) == 0
    said = describe(Path("out.mp4"))
    assert "h264" in said
    assert "yuv420p" in said
    assert "aac" in said
