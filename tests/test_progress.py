"""What a run shows: plain lines word by word, live lines by what stays on the screen."""

from __future__ import annotations

import io
import subprocess
import sys

from soilql.errors import Severity
from soilql.progress import Live, NodeState, Plain, Progress, Quiet, Timed, make_progress
from soilql.values import Note

NOTES = [Note("SQ802", "zone `boreal`: 3 rows, 10 needed: not fitted"), Note("SQ803", "fine", Severity.INFO)]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def play(progress: Progress) -> None:
    progress.start(12)
    progress.begin(1, "srdb", "table")
    progress.end(NodeState.STORED, 0.01, notes=NOTES)
    progress.begin(2, "rs", "predict")
    progress.update(1, 10)
    progress.message("waiting for another run that makes `rs`")
    progress.update(10, 10)
    progress.end(NodeState.DONE, 12.34)
    progress.begin(3, "fit", "linear")
    progress.end(NodeState.FAILED, 1.0)
    progress.begin(4, "map", "predict")
    progress.end(NodeState.SKIPPED, 0.0, "`fit` failed")
    progress.begin(5, "last", "total")
    progress.stop()


def test_plain_lines() -> None:
    stream = io.StringIO()
    play(make_progress(stream))
    assert stream.getvalue().splitlines() == [
        "[1/12] srdb table ... stored",
        "      warning SQ802 zone `boreal`: 3 rows, 10 needed: not fitted",
        "      note SQ803 fine",
        "[2/12] rs predict ... ",
        "      waiting for another run that makes `rs`",
        "[2/12] rs predict ... 12.3 s",
        "[3/12] fit linear ... failed",
        "[4/12] map predict ... skipped because `fit` failed",
        "[5/12] last total ... ",
    ]


def test_the_head_of_a_plain_line_is_there_while_the_node_runs() -> None:
    stream = io.StringIO()
    plain = Plain(stream)
    plain.start(2)
    plain.begin(1, "rs", "predict")
    plain.update(5, 10)
    assert stream.getvalue() == "[1/2] rs predict ... "


def test_live_lines_keep_what_is_finished() -> None:
    stream = Terminal()
    progress = make_progress(stream)
    assert isinstance(progress, Live)
    play(progress)
    shown = stream.getvalue()
    for text in ("[ 1/12] srdb table", "stored", NOTES[0].message, "12.3 s", "skipped because `fit` failed"):
        assert text in shown
    assert "[ 5/12] last total" not in shown.splitlines()[-1]


def test_quiet_shows_nothing() -> None:
    stream = Terminal()
    progress = make_progress(stream, quiet=True)
    assert isinstance(progress, Quiet)
    play(progress)
    assert stream.getvalue() == ""


def test_thousands_of_tasks_are_told_in_few_words_and_the_last_always() -> None:
    seen: list[tuple[int, int]] = []

    class Counting(Quiet):
        def update(self, done: int, total: int) -> None:
            seen.append((done, total))

    timed = Timed(Counting(), interval=3600)
    for done in range(1, 1001):
        timed(done, 1000)
    assert seen == [(1, 1000), (1000, 1000)]


def test_rich_is_loaded_for_a_terminal_only() -> None:
    code = (
        "import sys, io\nfrom soilql.progress import make_progress\n"
        "p = make_progress(io.StringIO()); p.start(1); p.begin(1, 'a', 'b'); p.stop()\nprint('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_same_of_several_zones_is_one_line() -> None:
    said = [Note("SQ802", f"zone `{name}`: 3 rows, 10 needed: not fitted") for name in ("boreal", "arid")]
    for stream in (io.StringIO(), Terminal()):
        progress = make_progress(stream)
        progress.start(1)
        progress.begin(1, "rs", "nonlinear")
        progress.end(NodeState.DONE, 1.0, notes=said)
        assert stream.getvalue().count("SQ802") == 1
        assert "warning SQ802 zones `boreal` and `arid`: 3 rows, 10 needed: not fitted" in stream.getvalue()
