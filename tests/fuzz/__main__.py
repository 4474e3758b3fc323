"""`python -m tests.fuzz FOLDER TARGET [-max_total_time=60 …]`: fuzz one target, seeded, until something breaks.

Inputs that reach new code are kept in FOLDER/TARGET and used again the next time. One that breaks something is written
to FOLDER/crash-…, with a traceback on stderr; `python -m tests.fuzz FOLDER TARGET FILE` runs it again. Further options
are libFuzzer's.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["traceviz"]):
    from tests.fuzz.targets import TARGETS
    from traceviz import checking

from tests.fuzz import seeds, shapes
from traceviz.sources.split import split

_MOST_BYTES = 8192
#: An input that takes longer, or more memory, is a find as well.
_SECONDS, _MEGABYTES = 20, 3000
#: Atheris never lets go of what a comparison of arrays gave, which is 1 MB for every forest. Whoever wants more runs
#: starts again: what was learned is kept.
_MOST_FORESTS = 2500


def seeds_of(target: str) -> list[bytes]:
    """What the target begins with."""
    if target == "forest":
        return shapes.SEEDS
    documents = list(seeds.documents())
    if target in ("jaeger", "otlp", "zipkin"):
        records = [one.data for document in documents for one in split([document]) if one.what == target]
        return [*records, *seeds.broken(min(records, key=len))]
    return [*documents, *seeds.oddities()]


def main(folder: Path, target: str, *options: str) -> None:
    """Fuzz; libFuzzer ends the process."""
    kept, seeded, words = folder / target, folder / f"{target}-seeds", folder / "words"
    kept.mkdir(parents=True, exist_ok=True)
    seeded.mkdir(exist_ok=True)
    for number, data in enumerate(seeds_of(target)):
        (seeded / str(number)).write_bytes(data)
    words.write_bytes(b"".join(b'"%b"\n' % _escaped(word) for word in seeds.WORDS))
    limits = (f"-max_len={_MOST_BYTES}", f"-timeout={_SECONDS}", f"-rss_limit_mb={_MEGABYTES}")
    own = [f"-runs={_MOST_FORESTS}"] if target == "forest" else [f"-dict={words}"]
    again = any(Path(option).is_file() for option in options)
    begun = [] if again else [*own, str(kept), str(seeded)]
    arguments = [sys.argv[0], *limits, f"-artifact_prefix={folder}/", *begun, *options]
    checking.switch_on()
    warnings.simplefilter("error")  # a sum that overflows is no more than a warning
    atheris.Setup(arguments, TARGETS[target])
    atheris.Fuzz()


def _escaped(word: str) -> bytes:
    """As libFuzzer's dictionaries want it, whatever the bytes are."""
    return b"".join(b"\\x%02x" % byte for byte in word.encode("latin-1"))


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz FOLDER {{{','.join(TARGETS)}}} [OPTION …]")
    main(Path(sys.argv[1]), *sys.argv[2:])
