"""Coverage-guided fuzzing of the parsers, the layout, the conversion and the linter.

    python -m tests.fuzz --minutes 10                      every target in turn, ten minutes in all
    python -m tests.fuzz --minutes 10 --target lint-yaml   one of them
    python -m tests.fuzz --replay FILE --target lint-yaml  one text, with its traceback

Needs `pip install atheris`, which drives libFuzzer with the coverage of the package's own code. Found texts are kept
in `--corpus` (default build/fuzz), so that a later run goes on where this one ended; every fault is written to
build/fuzz/faults/TARGET with its traceback, once for each place where it is raised, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import time
import traceback
from pathlib import Path

LONGEST_SECONDS = 10


def main() -> int:
    """Run what the command line asks for."""
    options = _parser().parse_args()
    if options.replay is not None:
        return _replay(options.replay, options.target)
    if options.inside:
        _fuzz(options.target, options.minutes * 60, options.corpus, options.seed)
        return 0
    from tests.fuzz.targets import TARGETS

    chosen = [options.target] if options.target else list(TARGETS)
    faults = 0
    for target in chosen:
        faults += _run(target, options, options.minutes / len(chosen))
    return int(faults > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--target", help="default: all, one after the other")
    parser.add_argument("--corpus", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser


def _run(target: str, options: argparse.Namespace, minutes: float) -> int:
    """Fuzz one target in a process of its own, as libFuzzer ends the process it runs in."""
    arguments = ["--inside", "--target", target, "--minutes", str(minutes), "--corpus", str(options.corpus)]
    command = [sys.executable, "-m", "tests.fuzz", *arguments, "--seed", str(options.seed)]
    environment = {**os.environ, "SOILQL_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    status = [line for line in ran.stderr.splitlines() if line.startswith("#") and "cov:" in line]
    summary = options.corpus / "faults" / target / "summary.json"
    found = json.loads(summary.read_text()) if summary.exists() else {"faults": 1, "texts": 0}
    sys.stdout.write(f"{target}: {found}; {status[-1] if status else ran.stderr[-2000:]}\n")
    sys.stdout.flush()
    return int(found["faults"])


def _replay(path: Path, target: str) -> int:
    from tests.fuzz.targets import TARGETS

    TARGETS[target][0](path.read_bytes().decode("utf-8", "ignore"))
    sys.stdout.write("nothing to complain of\n")
    return 0


def _fuzz(target: str, seconds: float, folder: Path, seed: int) -> None:
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

    with atheris.instrument_imports(include=["soilql"]):
        from soilql import kinds
        from soilql.lint import rule_modules
        from tests.fuzz.targets import TARGETS

        rule_modules()
        for section in kinds.SECTIONS:
            for name in kinds.names(section):
                kinds.find(section, name)
    from tests.fuzz.corpus import LONGEST
    from tests.fuzz.mutate import mutated

    check, seeds = TARGETS[target]
    texts = [text for text in seeds() if len(text) <= LONGEST]
    own = folder / "corpus" / target
    own.mkdir(parents=True, exist_ok=True)
    for text in texts:
        (own / hashlib.sha256(text.encode()).hexdigest()[:16]).write_text(text, encoding="utf-8", newline="")
    watch = Watch(check, folder / "faults" / target)

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.25:
            return bytes(atheris.Mutate(data, longest))
        return mutated(data.decode("utf-8", "ignore"), rng, texts).encode("utf-8", "ignore")[:longest]

    flags = ["-handle_alrm=0", "-timeout=0", f"-max_len={2 * LONGEST}", f"-seed={seed}", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *flags, f"-max_total_time={round(seconds)}", str(own)], watch, custom_mutator=mutate)
    atheris.Fuzz()


class Watch:
    """Check texts, keep those that fail, once for each place of failure, and go on."""

    def __init__(self, check: object, folder: Path) -> None:
        self.check = check
        self.folder = folder
        self.texts = 0
        self.faults: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._noted = 0.0

    def __call__(self, data: bytes) -> None:
        from tests.fuzz.limit import limited

        self.texts += 1
        try:
            with limited(LONGEST_SECONDS):
                self.check(data.decode("utf-8", "ignore"))  # type: ignore[operator]
        except Exception as error:
            self._keep(data, error)
        if time.monotonic() - self._noted > 2:
            self._noted = time.monotonic()
            self._note()

    def _keep(self, data: bytes, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = next((f for f in reversed(frames) if "/soilql/" in f.filename or "/fuzz/" in f.filename), frames[-1])
        name = f"{type(error).__name__}-{Path(place.filename).stem}-{place.lineno}"
        if type(error).__name__ == "TooSlowError":
            name = "TooSlowError"
        known = self.folder / f"{name}.txt"
        self.faults[name] = self.faults.get(name, 0) + 1
        if known.exists() and known.stat().st_size <= len(data):
            return
        known.write_bytes(data)
        text = "".join(traceback.format_exception(error))
        (self.folder / f"{name}.trace").write_text(text[-6000:], encoding="utf-8", errors="replace")

    def _note(self) -> None:
        summary = {"texts": self.texts, "faults": len(self.faults), "counts": self.faults}
        (self.folder / "summary.json").write_text(json.dumps(summary))


if __name__ == "__main__":
    sys.exit(main())
