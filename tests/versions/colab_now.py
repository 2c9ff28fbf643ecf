"""Write the versions that Colab has now of the packages in colab.txt, and warn of each that has changed.

colab_now.py FREEZE > requirements.txt

FREEZE is the list of packages that Colab publishes of its image: pip-freeze.txt in github.com/googlecolab/backend-info.
The warnings go to stderr, in the words that GitHub shows beside a run.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

KNOWN = Path(__file__).with_name("colab.txt")


def versions(text: str) -> dict[str, str]:
    """Return versions by the names of the packages, in lower case with hyphens."""
    found = re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def compare(freeze: str, known: str) -> tuple[dict[str, str], list[str]]:
    """Return what Colab has now of the first part of colab.txt, and what differs, in words."""
    before, now = versions(known.partition("\n\n")[0]), versions(freeze)
    changes = [f"{name} was {old} on Colab, now {now.get(name, 'it is gone')}" for name, old in before.items()]
    kept = {name: now[name] for name in before if name in now}
    return kept, [words for words, (name, old) in zip(changes, before.items(), strict=True) if now.get(name) != old]


def main() -> None:
    """Compare, and write both."""
    kept, changes = compare(Path(sys.argv[1]).read_text("utf-8"), KNOWN.read_text("utf-8"))
    sys.stderr.writelines(f"::warning title=Colab has changed::{words}\n" for words in changes)
    sys.stdout.writelines(f"{name}=={version}\n" for name, version in kept.items())


if __name__ == "__main__":
    main()
