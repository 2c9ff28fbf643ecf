"""inspect() tells the truth: of our files and other tools', whole, altered, cut short, huge and hostile."""

from __future__ import annotations

import io
import json
import re
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from media import ffmpeg, make_clicks, noise
from PIL import Image
from test_metadata import in_movie, packet

from memegen.base.errors import InputError
from memegen.media.video import open_video, write_video
from memegen.preview import LESSON_CLIPS
from memegen.provenance import credentials, inspection, watermark
from memegen.provenance.credentials import seal
from memegen.provenance.inspection import Credentials, Report, inspect
from memegen.provenance.metadata import SOURCE_TYPES, Found, Marks, write_metadata
from memegen.provenance.watermark import Detection
from memegen.templates import TEMPLATES

MARKS = Marks("mesh", "daisy-bell", "Sung by a program")
UNCOVERED = (b"ftyp", b"free", b"wide")  # boxes that C2PA leaves out of its sum
MARK = Detection(TEMPLATES[0].mark, 1e-12, 5, (1.0, 1.0), (0.0, 0.0), False)


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEGEN_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("MEMEGEN_TRUST", raising=False)


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> list[Detection | None]:
    """What the search for the invisible mark finds, which has tests of its own; the frames are read all the same."""
    found: list[Detection | None] = [None]

    def detect(frames: Any) -> Detection | None:
        assert len(list(frames)) > 0
        return found[0]

    monkeypatch.setattr(inspection, "detect", detect)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A signed file of each kind, and a clip without any marks."""
    folder = tmp_path_factory.mktemp("made")
    click = make_clicks(folder / "click.wav", seconds=0.5, at=(0.2,))
    files = {"plain": write_video(folder / "plain.mp4", noise(4), fps=25, audio=click).path.read_bytes()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMEGEN_CONFIG", str(folder / "config"))
        for suffix in (".mp4", ".gif", ".webp", ".png"):
            path = folder / f"a{suffix}"
            write_video(path, noise(4), fps=25, audio=click, comment=MARKS.sentence, finish=lambda p: seal(p, MARKS))
            files[suffix] = path.read_bytes()
    return files


def put(folder: Path, data: bytes, name: str = "a.mp4") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def by_another_tool(folder: Path, data: bytes, tool: str, name: str = "a.png", **more: Any) -> Path:
    """Sign a file as another program would, in the same way as sign() but with another manifest."""
    action = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPES + "trainedAlgorithmicMedia"}
    manifest = {"claim_generator_info": [{"name": tool, "version": "7"}], **more}
    manifest["assertions"] = [{"label": "c2pa.actions", "data": {"actions": [action]}}]
    with credentials._c2pa() as (c2pa, context), credentials._c2pa_signer(c2pa, credentials.find_signer()) as signer:
        signed = io.BytesIO()
        builder = c2pa.Builder(json.dumps(manifest), context)
        builder.sign(signer, credentials.MEDIA_TYPES[Path(name).suffix], io.BytesIO(data), signed)
    return put(folder, signed.getvalue(), name)


def still(folder: Path) -> bytes:
    Image.new("RGB", (64, 64), "teal").save(folder / "still.png")
    return (folder / "still.png").read_bytes()


# Ours


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp", ".png"])
def test_a_file_as_it_was_made(made: dict[str, bytes], tmp_path: Path, suffix: str, mark: list[Any]) -> None:
    mark[0] = MARK
    report = inspect(put(tmp_path, made[suffix], f"a{suffix}"))
    assert report.credentials.state == "intact"
    assert report.template == "daisy-bell"
    assert report.verdict == 'Made with memegen, and unchanged since it was signed as "memegen local signer".'
    mark[0] = None
    assert inspect(tmp_path / f"a{suffix}").verdict == (
        'Picture, sound and metadata are unchanged since it was signed as "memegen local signer". It says: made or '
        f'edited with "{MARKS.tool}", composed of parts, some of them synthetic (compositeSynthetic).'
    )
    lines = report.lines()
    assert lines[0] == f"a{suffix}: {report.verdict}"
    assert "a name that every copy of memegen uses and no known authority confirms; anybody can use it" in lines[1]
    assert lines[-1] == "Invisible mark: found, template daisy-bell; the chance of a false alarm is below 1e-12"
    assert f"Description: {MARKS.sentence}" in lines


def test_a_name_of_another_kind_changes_nothing(made: dict[str, bytes], tmp_path: Path) -> None:
    assert inspect(put(tmp_path, made[".png"], "a.jpg")).credentials.state == "intact"


def test_saved_again_by_another_program(made: dict[str, bytes], tmp_path: Path, mark: list[Any]) -> None:
    path, again = put(tmp_path, made[".mp4"]), tmp_path / "again.mp4"
    ffmpeg("-i", str(path), "-map_metadata", "-1", "-c", "copy", str(again))
    report = inspect(again)
    assert (report.metadata, report.credentials.state) == (Found(), "none")
    assert report.verdict.startswith("No marks were found. That proves nothing")
    mark[0] = MARK
    assert "saved again since: the metadata are gone, the invisible mark is still there" in inspect(again).verdict


def test_not_signed(made: dict[str, bytes], tmp_path: Path, mark: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, made["plain"])
    write_metadata(path, MARKS)
    assert inspect(path).verdict == (
        "Its metadata say: composed of parts, some of them synthetic (compositeSynthetic). Anybody can write metadata, "
        "so this is a hint, not a proof."
    )
    mark[0] = MARK
    assert inspect(path).verdict == "Made with memegen. It is not signed."
    monkeypatch.setattr(credentials, "find_spec", lambda _: None)
    assert inspect(path).verdict == "Made with memegen. Its signature, if it has one, was not checked."
    assert any("memegen-sings[signing]" in line for line in inspect(path).lines())


def test_a_comment_alone_is_a_hint(made: dict[str, bytes], tmp_path: Path) -> None:
    path, told = put(tmp_path, made["plain"], "b.mp4"), tmp_path / "a.mp4"
    ffmpeg("-i", str(path), "-c", "copy", "-metadata", f"comment={MARKS.sentence}", str(told))
    assert inspect(told).verdict.startswith("Its metadata say: made with memegen. Anybody can write")


# Altered


def boxes(data: bytes) -> dict[bytes, tuple[int, int]]:
    """Where the top-level boxes lie; of two of a kind the last."""
    found, place = {}, 0
    while place < len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        found[kind if place < 100 or kind != b"uuid" else b"xmp"] = (place, place + size)
        place += size
    return found


def state_of(folder: Path, data: bytes, place: int, name: str) -> str:
    changed = bytearray(data)
    changed[place] ^= 0x55
    return inspection._credentials(put(folder, bytes(changed), name)).state


def test_one_flipped_byte_of_a_movie_is_seen(made: dict[str, bytes], tmp_path: Path) -> None:
    data = made[".mp4"]
    found = boxes(data)
    assert {b"uuid", b"moov", b"mdat", b"xmp"} <= set(found)
    for kind, (start, end) in found.items():
        if kind not in (*UNCOVERED, b"uuid"):
            step = max((end - start - 8) // 12, 1)
            for place in [*range(start + 8, end, step), start + 8, end - 1]:
                assert state_of(tmp_path, data, place, "a.mp4") in ("altered", "unreadable"), (kind, place)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_one_flipped_byte_of_a_picture_is_seen(made: dict[str, bytes], tmp_path: Path, suffix: str) -> None:
    data = made[suffix]
    places = [data.index(b"CreatorTool") + 3, data.index(b"compositeSynthetic", data.index(b"xpacket")), len(data) - 20]
    if suffix != ".webp":
        places += [len(data) // 2 + 3000, len(data) - 400]
    assert {state_of(tmp_path, data, place, f"a{suffix}") for place in places} <= {"altered", "unreadable"}


def test_what_the_signature_does_not_cover_is_as_documented(made: dict[str, bytes], tmp_path: Path) -> None:
    data = made[".mp4"]
    start, _ = boxes(data)[b"ftyp"]
    assert state_of(tmp_path, data, start + 14, "a.mp4") == "intact"  # the version of the file's type
    padded = put(tmp_path, data + struct.pack(">I4s", 16, b"free") + b"anything")
    assert inspection._credentials(padded).state == "intact"  # boxes that players skip
    assert inspection._credentials(put(tmp_path, data + b"anything")).state != "intact"


def test_an_altered_statement_is_no_statement(made: dict[str, bytes], tmp_path: Path) -> None:
    data = made[".mp4"]
    report = inspect(put(tmp_path, data.replace(b"Engine: mesh", b"Engine: mush")))
    assert report.credentials.state == "altered"
    assert report.verdict == (
        'Altered after it was signed as "memegen local signer": do not rely on its Content Credentials.'
    )


def test_a_damaged_statement_is_said(made: dict[str, bytes], tmp_path: Path) -> None:
    data = bytearray(made[".png"])
    place = data.index(b"c2pa.claim")
    data[place : place + 4] = b"\xff\xff\xff\xff"
    report = inspect(put(tmp_path, bytes(data), "a.png"))
    assert report.credentials.state == "unreadable"
    assert "It has Content Credentials, but they prove nothing: they are damaged" in report.verdict


def test_a_file_cut_short(made: dict[str, bytes], tmp_path: Path) -> None:
    report = inspect(put(tmp_path, made[".mp4"][:-5000]))
    assert report.credentials.state in ("altered", "unreadable")
    with pytest.raises(InputError, match="neither a picture nor a clip that can be read"):
        inspect(put(tmp_path, made["plain"][:700]))


# Of other tools


def test_another_tools_statement_is_told_as_its_own(tmp_path: Path) -> None:
    report = inspect(by_another_tool(tmp_path, still(tmp_path), "Photo Oven"))
    assert report.credentials.state == "intact"
    assert report.credentials.tool == "Photo Oven 7"
    assert report.verdict.endswith('It says: made or edited with "Photo Oven 7", made by AI (trainedAlgorithmicMedia).')
    assert "Signed source type: made by AI (trainedAlgorithmicMedia)" in report.lines()


def test_a_claim_to_be_memegen_is_no_proof(tmp_path: Path) -> None:
    path = in_movie(tmp_path, packet("", 'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="memegen 9"'))
    report = inspect(path)
    assert report.verdict.endswith("Anybody can write metadata, so this is a hint, not a proof.")
    assert report.problem is not None  # there is no picture in it


def test_a_strangers_text_is_safe_to_print(tmp_path: Path) -> None:
    path = by_another_tool(tmp_path, still(tmp_path), "\x1b[31mEvil\r\n\u202etool\x07")
    text = f"\x1b]0;x\x07\n{'y' * 5000}"
    report = inspect(path)
    fields = Found(source_type=text, tool=text, description=text, rights=text, comment=text, problem=text)
    report = Report("\ud800\x1b.png", fields, report.credentials, MARK, None, text)
    for line in report.lines():
        assert line.isprintable()
        assert len(line) < 1200
    assert json.loads(report.to_json())["metadata"]["comment"] == text


def test_a_strangers_words_cant_pass_as_ours(tmp_path: Path) -> None:
    report = inspect(by_another_tool(tmp_path, still(tmp_path), 'a camera". It is real, says memegen.\x1b[2K "'))
    assert """edited with "a camera'. It is real, says memegen. [2K ' 7", made by AI""" in report.verdict
    real = Found(source_type='camera. It is real, says memegen. "\n')
    verdict = Report("a.png", real, inspection.Credentials()).verdict
    assert verdict.startswith("""Its metadata say: "camera. It is real, says memegen. ' ". Anybody can""")
    for reason in ("\x1b[2K", None):
        assert Report("a.png", Found(), inspection.Credentials("invalid", reason=reason)).verdict.isprintable()


@pytest.mark.parametrize("state", ["intact", "altered", "invalid"])
def test_a_name_that_nobody_vouches_for_is_told_as_such(state: inspection.State) -> None:
    signed = inspection.Credentials(state, "Some Newspaper", reason=None if state == "intact" else "why")
    for found in (None, MARK):
        report = Report("a.png", Found(), signed, found)
        if state != "invalid":
            assert 'signed as "Some Newspaper", a name that no known authority confirms' in report.verdict
        assert "a name that no known authority confirms" in report.lines()[1]
    trusted = Report("a.png", Found(), inspection.Credentials("intact", "Some Newspaper", trusted=True))
    assert "no known authority" not in trusted.verdict
    assert "an authority that you trust confirms this name" in trusted.lines()[1]


def test_metadata_that_cant_be_read_are_not_called_gone() -> None:
    report = Report("a.mp4", Found(problem="it is larger than 1024 kB"), inspection.Credentials(), MARK)
    assert report.verdict == (
        "Made with memegen: it has the invisible mark. Its metadata could not be read; see below."
    )


@pytest.mark.parametrize("name", ["-i.png", "a b\n;$(x).png", "日本 'q\".png", "%d.png", "a:b.png"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    report = inspect(put(tmp_path, still(tmp_path), name))
    assert report.file == name
    assert report.lines()[0].isprintable()


def test_json_has_all_of_it(made: dict[str, bytes], tmp_path: Path, mark: list[Any]) -> None:
    mark[0] = MARK
    told = json.loads(inspect(put(tmp_path, made[".png"], "a.png")).to_json())
    assert told["file"] == "a.png"
    assert told["credentials"]["state"] == "intact"
    assert told["metadata"]["source_type"] == MARKS.source_type
    assert told["mark"]["payload"] == MARK.payload
    assert str(tmp_path) not in json.dumps(told)


NEWER = [
    {"active_manifest": "a"},
    {"active_manifest": None, "manifests": {}},
    {"active_manifest": "a", "manifests": {"a": "in another form"}},
    {"active_manifest": "a", "manifests": {"a": {"claim_generator_info": "x"}}},
    {"active_manifest": "a", "manifests": {"a": {"assertions": [3]}}},
    {"active_manifest": "a", "manifests": {"a": {}}, "validation_status": ["x"]},
    [],
]


@pytest.mark.parametrize("report", NEWER)
def test_a_report_of_another_shape_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Any) -> None:
    monkeypatch.setattr(inspection, "read_credentials", lambda _: report)
    told = inspect(put(tmp_path, still(tmp_path), "a.png"))
    assert told.credentials.state == "unreadable"
    assert "or need a newer version of this program" in told.verdict


def test_a_newer_manifest_is_said(made: dict[str, bytes], tmp_path: Path) -> None:
    newer = made[".png"].replace(b"c2pa.claim.v2", b"c2pa.claim.v9")
    assert newer != made[".png"]
    report = inspect(put(tmp_path, newer, "a.png"))
    assert report.credentials.state in ("unreadable", "invalid")
    assert "they prove nothing" in report.verdict


@pytest.mark.parametrize(
    ("codes", "validation", "state"),
    [
        ([], "Valid", "intact"),
        (["signingCredential.untrusted"], "Valid", "intact"),
        ([], "Trusted", "intact"),
        (["signingCredential.expired"], "Invalid", "invalid"),
        ([], "Invalid", "invalid"),
        ([], "SomethingNew", "invalid"),
        (["assertion.dataHash.mismatch"], "Invalid", "altered"),
        (["claimSignature.mismatch", "signingCredential.untrusted"], "Invalid", "altered"),
    ],
)
def test_outcomes_are_sorted(codes: list[str], validation: str, state: str) -> None:
    report = {"validation_status": [{"code": code} for code in codes], "validation_state": validation}
    assert inspection._state(report)[0] == state


def test_kept_elsewhere_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(_: Path) -> None:
        raise credentials.UnavailableError("they are not in the file, and nothing is fetched")

    monkeypatch.setattr(inspection, "read_credentials", elsewhere)
    report = inspect(put(tmp_path, still(tmp_path), "a.png"))
    assert report.verdict == "No marks were found, but not everything could be checked; see below."
    assert report.lines()[1] == "Content Credentials: unchecked: they are not in the file, and nothing is fetched"


# Of nobody


@pytest.mark.parametrize(
    "data", [b"hello\n" * 99, bytes(5000), b"\x1aE\xdf\xa3" + bytes(range(256)), b"RIFF", b"\xff\xd8\xff"]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.png", "a"])
def test_what_is_no_media_is_said(tmp_path: Path, data: bytes, name: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"{name} is neither a picture nor a clip that can be read")):
        inspect(put(tmp_path, data, name))


@pytest.mark.parametrize("error", [RuntimeError, EOFError, KeyError, OverflowError, ZeroDivisionError, AssertionError])
def test_a_picture_that_breaks_its_reader_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error("Missing or empty image item")

    path = put(tmp_path, bytes(5000), "a.avif")
    monkeypatch.setattr(Image, "open", broken)
    with pytest.raises(InputError, match="neither a picture nor a clip"):
        inspect(path)


def test_a_phones_photo_is_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = struct.pack(">I4s4s4x", 16, b"ftyp", b"heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(Image, "OPEN", {kind: found for kind, found in Image.OPEN.items() if kind != "HEIF"})
    with pytest.raises(InputError, match=r'is a HEIC photo: run pip install "memegen-sings\[heif\]"'):
        inspect(put(tmp_path, head + bytes(99), "a.heic"))


def test_a_phones_photo_is_read(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    xmp = packet("", f'i:DigitalSourceType="{SOURCE_TYPES}digitalCapture"')
    pillow_heif.from_pillow(Image.new("RGB", (64, 64), "teal")).save(tmp_path / "a.heic", xmp=xmp)
    report = inspect(tmp_path / "a.heic")
    assert report.metadata == Found(source_type=SOURCE_TYPES + "digitalCapture")
    assert report.problem is None


def test_what_fails_while_it_is_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: Path) -> None:
        raise OSError(5, "Input/output error")

    path = put(tmp_path, still(tmp_path), "a.png")
    monkeypatch.setattr(inspection, "read_metadata", failing)
    with pytest.raises(InputError, match=r"^a\.png could not be read completely \(Input/output error\): copy it"):
        inspect(path)


def test_where_a_file_lies_stays_out_of_the_report(made: dict[str, bytes], tmp_path: Path) -> None:
    report = inspect(put(tmp_path, made[".png"][:-3000], "a.png"))
    assert "a.png is damaged" in (report.problem or "")
    assert str(tmp_path) not in report.to_json()
    with pytest.raises(InputError) as caught:
        inspect(put(tmp_path, b"hello", "a\x1b[2K.mp4"))
    assert str(caught.value).isprintable()


def test_nothing_and_folders_are_said(tmp_path: Path) -> None:
    for path, words in ((put(tmp_path, b""), "is empty"), (tmp_path, "is a folder"), (tmp_path / "x", "There is no")):
        with pytest.raises(InputError, match=words):
            inspect(path)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.mp4", b""),
        ("a.webp", b""),
        ("a.png", b"\x89PNG\r\n\x1a\n"),
        ("a.x", b"RIFF\0\0\0\0WEBP"),
        ("a.gif", b"GIF89a"),
    ],
)
def test_a_huge_file_is_answered_without_being_read(tmp_path: Path, name: str, head: bytes) -> None:
    path = put(tmp_path, head, name)
    with path.open("ab") as file:
        file.truncate(2**33)
    if name == "a.mp4":  # nothing at all
        with pytest.raises(InputError, match="neither a picture nor a clip"):
            inspect(path)
    else:
        assert "over 512 MB" in (inspect(path).problem or "")


def test_a_picture_that_claims_to_be_vast_is_not_decoded(made: dict[str, bytes], tmp_path: Path) -> None:
    data = bytearray(made[".webp"])
    data[24:30] = b"\xff" * 6  # the width and the height in the header
    for name in ("a.webp", "a.mp4"):
        report = inspect(put(tmp_path, bytes(data), name))
        assert report.problem is not None
        assert report.credentials.state == "altered"


def test_a_huge_signed_movie_is_not_checked(made: dict[str, bytes], tmp_path: Path) -> None:
    path = put(tmp_path, made[".mp4"])
    with path.open("ab") as file:
        file.truncate(2**33)
    report = inspect(path)
    assert report.credentials.reason == "files over 2 GB are not checked"
    assert report.metadata.tool == MARKS.tool


# The clips of notebook 05


@pytest.fixture
def lesson(monkeypatch: pytest.MonkeyPatch) -> list[Report]:
    """What is found in a, b and c, with a real search for the invisible mark."""
    monkeypatch.setattr(inspection, "detect", watermark.detect)
    return [inspect(path) for path in LESSON_CLIPS]


def test_the_clips_of_the_lesson_are_what_it_says(lesson: list[Report]) -> None:
    chat, real, meme = lesson
    assert real == Report("b.mp4", Found(), Credentials())
    assert real.verdict.startswith("No marks were found. That proves nothing")
    assert chat == Report("a.mp4", Found(), Credentials(), mark=chat.mark, template="daisy-bell")
    assert "saved again since: the metadata are gone, the invisible mark is still there" in chat.verdict
    assert (meme.credentials.state, meme.credentials.signer) == ("intact", credentials.LOCAL_SIGNER)
    assert meme.credentials.source_type == meme.metadata.source_type == SOURCE_TYPES + "compositeSynthetic"
    assert meme.metadata.tool is not None
    assert meme.metadata.comment == meme.metadata.description
    assert str(meme.metadata.comment).startswith("Made with AI by memegen")
    assert meme.template == "daisy-bell"
    for report in (chat, meme):
        assert report.mark is not None
        assert report.mark.false_alarm < 1e-50
    assert sum(path.stat().st_size for path in LESSON_CLIPS) < 600e3


def test_what_the_lesson_does_to_a_clip_leaves_the_invisible_mark_until_it_is_tiny(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "detect", watermark.detect)
    clip = open_video(LESSON_CLIPS[2])
    again = write_video(tmp_path / "again.mp4", clip.frames(max_side=360), fps=clip.fps, audio=clip).path
    for path in (again, clip.save(tmp_path / "screenshot.png")):
        report = inspect(path)
        assert (report.metadata, report.credentials, report.template) == (Found(), Credentials(), "daisy-bell")
    tiny = write_video(tmp_path / "tiny.mp4", clip.frames(max_side=96), fps=clip.fps).path
    assert inspect(tiny) == Report("tiny.mp4", Found(), Credentials())


def test_without_the_packages_for_signatures_the_lesson_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    monkeypatch.setattr(inspection, "detect", watermark.detect)
    chat, real, meme = (inspect(path) for path in LESSON_CLIPS)
    for report in (chat, real, meme):
        assert any(re.search(r"unchecked: .*memegen-sings\[signing\]", line) for line in report.lines())
    assert chat.verdict.startswith("Made with memegen and saved again since")
    assert meme.verdict == "Made with memegen. Its signature, if it has one, was not checked."
    assert real.verdict == "No marks were found, but not everything could be checked; see below."
