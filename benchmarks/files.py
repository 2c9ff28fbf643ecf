"""Files as people have them: how far colours, clocks and lyrics are from what was meant.

    python benchmarks/files.py

The clips are those in tests/cases. With charset-normalizer installed its readings of lyrics are counted as well.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from media import RATE, samples_of

from memegen import open_video, read_image, write_video
from memegen.look.encodings import decode_text

CASES = Path(__file__).parents[1] / "tests" / "cases"
LYRICS = {  # one line each, as songs have them
    "gb18030": "小苹果 你是我的小呀小苹果|朋友一生一起走 那些日子不再有|甜蜜蜜 你笑得甜蜜蜜|外婆的澎湖湾|两只老虎",
    "big5": "望春風 獨夜無伴守燈下|綠島小夜曲 這綠島像一隻船|你是我的花朵 我要擁有你|對面的女孩看過來",
    "shift_jis": "さくら さくら やよいの空は|上を向いて歩こう|ばかみたい 子供なのね|残酷な天使のテーゼ",
    "euc_jp": "さくら さくら やよいの空は|上を向いて歩こう|ばかみたい 子供なのね",
    "euc_kr": "아리랑 아리랑 아라리요|강남스타일 오빠는|봄날은 간다 연분홍 치마가|보고 싶다 이렇게 말하니까",
    "cp1251": "Катюша выходила на берег|Подмосковные вечера|Очи чёрные, очи страстные|Ой у лузі червона калина",
    "cp1250": "Sto lat, sto lat, niech żyje nam|Hej, sokoły, omijajcie góry|Kde domov můj, voda hučí po lučinách",
    "cp1252": "Für Elise, schöne Töchter|Sous le ciel de Paris, là-bas|Garota de Ipanema, coração|Voilà|été",
    "cp1253": "Αγάπη μου|Τα παιδιά του Πειραιά|Ζορμπά χορός",
    "cp1254": "Üsküdar'a gider iken aldı da bir yağmur|Şımarık öp öp|Gülpembe güldün",
    "cp1255": "ירושלים של זהב|שלום עליכם|הבה נגילה",
    "cp1256": "حبيبي يا نور العين|يا ليل يا عين|سألوني الناس عنك",
}


def colours() -> None:
    """Print the mean absolute difference of each channel from the original, in levels."""
    photo, p3 = (read_image(CASES / name).astype(float) for name in ("photo.png", "display_p3.jpg"))
    usual, hlg = (np.stack(list(open_video(CASES / name).frames())) for name in ("ref.mp4", "hlg_hevc10.mov"))
    for name, one, other in (("Display P3 photo", p3, photo), ("HLG video", hlg.astype(float), usual.astype(float))):
        off = np.abs(one - other).reshape(-1, 3).mean(0)
        print(f"{name}: red, green, blue off by {off[0]:.1f}, {off[1]:.1f}, {off[2]:.1f} levels")


def clocks() -> None:
    """Print by how many milliseconds the written sound is behind that of the file, with and without a start."""
    late = CASES / "picture_half_a_second_late.ts"
    for start in (0.0, 1.0):
        clip = open_video(late, start=start)
        with tempfile.TemporaryDirectory() as folder:
            made = write_video(Path(folder, "out.mp4"), clip.frames(), fps=clip.fps, audio=clip)
            heard, meant = samples_of(made.path), samples_of(late)[round(clip.start * RATE) :]
        long = 2 * max(len(heard), len(meant))
        best = int(np.fft.irfft(np.fft.rfft(heard, long) * np.conj(np.fft.rfft(meant, long))).argmax())
        behind = best if best < long // 2 else best - long
        print(f"MPEG-TS from {start:g} s: sound {1000 * behind / RATE:.1f} ms behind the file's own")


def encodings() -> None:
    """Print how many lyrics of one line, and of all lines of an encoding twice over, are read right."""
    readers: dict[str, Callable[[bytes], str | None]] = {"memegen": decode_text}
    with suppress(ImportError):
        from charset_normalizer import from_bytes

        readers["charset-normalizer"] = lambda data: str(best) if (best := from_bytes(data).best()) else None
    for name, read in readers.items():
        for long in (False, True):
            found: Counter[str] = Counter()
            for encoding, texts in LYRICS.items():
                lines = texts.split("|")
                for rows in [lines * 2] if long else [[line] for line in lines]:
                    text = "".join(f"[00:{second:02}.10]{row}\n" for second, row in enumerate(rows))
                    said = read(text.encode(encoding))
                    found["right" if said == text else "refused" if said is None else "wrong"] += 1
            print(f"{name}, {'several lines' if long else 'one line'}: {dict(found)}")


if __name__ == "__main__":
    colours()
    clocks()
    encodings()
