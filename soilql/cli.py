"""The command line: lint, plan, run, data, schema, explain. Everything that is printed is printed here."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from soilql import __version__
from soilql.errors import Diagnostic, Severity, SoilqlError

if TYPE_CHECKING:
    from soilql.spec import Spec

CLEAN, FINDINGS, USAGE, FAILED = 0, 1, 2, 3

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        0 clean, 1 findings, 2 usage or unreadable input, 3 failure while running.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except SoilqlError as error:
        show(error.diagnostics)
        return USAGE
    except BrokenPipeError:
        # The reader of the output (head, less) has gone; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLEAN
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="soilql", description="A statistics workbench for global upscaling studies, as a declarative language."
    )
    parser.add_argument("--version", action="version", version=f"soilql {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, function: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=function)
        return sub

    lint = command("lint", _lint, "check specs without running them")
    lint.add_argument("specs", nargs="+", metavar="SPEC")
    _add_set(lint)
    plan = command("plan", _plan, "show what a run would do, and why")
    plan.add_argument("spec", metavar="SPEC")
    _add_set(plan)
    _add_places(plan)
    run = command("run", _run, "run a spec; what is stored already is not computed again")
    run.add_argument("spec", metavar="SPEC")
    _add_set(run)
    _add_places(run)
    run.add_argument("--quiet", action="store_true", help="show problems only")
    data = command("data", _data, "public data sets: list, fetch, verify, where")
    data.add_argument("action", choices=("list", "fetch", "verify", "where"))
    data.add_argument("names", nargs="*", metavar="NAME")
    schema = command("schema", _schema, "print the JSON Schema of a spec, for editors")
    schema.add_argument("--output", type=Path, metavar="FILE", help="write it to a file")
    explain = command("explain", _explain, "explain a code, kind, section or function")
    explain.add_argument("topic", metavar="TOPIC")
    return parser


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="set an input of the spec")


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder (default runs/SPEC)")
    parser.add_argument(
        "--store",
        type=Path,
        default=Path(os.environ.get("SOILQL_STORE", ".soilql/store")),
        metavar="DIR",
        help="where results are kept by key (default .soilql/store, or $SOILQL_STORE)",
    )
    parser.add_argument("--memory", type=_size, default=1 << 30, metavar="SIZE", help="budget for blocks (default 1GB)")
    parser.add_argument(
        "--workers", type=_workers, default=os.cpu_count() or 1, metavar="N", help="threads (default: all)"
    )


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 2GB")
    size = int(float(match[1]) * _BYTES[match[2].upper()])
    if size < _BYTES["M"]:
        raise argparse.ArgumentTypeError(f"{text!r} is {size} bytes; blocks need at least 1MB, such as 2GB")
    return size


def _workers(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads")
    return int(text)


def _load(options: argparse.Namespace, path: str) -> Spec:
    from soilql.inputs import parse_settings
    from soilql.spec import load

    return load(Path(path), parse_settings(options.set))


def _checked(options: argparse.Namespace) -> Spec:
    """Load a spec that is to be planned or run; its errors end the command."""
    from soilql.lint import lint

    spec = _load(options, options.spec)
    found = lint(spec)
    errors = [d for d in found if d.severity is Severity.ERROR]
    show(found)
    if errors:
        raise SystemExit(FINDINGS)
    return spec


def _lint(options: argparse.Namespace) -> int:
    from soilql.lint import lint

    total = 0
    status = CLEAN
    for path in options.specs:
        try:
            found = lint(_load(options, path))
        except SoilqlError as error:
            show(error.diagnostics)
            status = USAGE
            continue
        show(found)
        total += len(found)
    files = f"{len(options.specs)} file{'s' if len(options.specs) > 1 else ''}"
    if total:
        print(f"{total} finding{'s' if total > 1 else ''} in {files}", file=sys.stderr)
    elif status == CLEAN:
        print(f"{files}: no findings", file=sys.stderr)
    return status or (FINDINGS if total else CLEAN)


def _plan(options: argparse.Namespace) -> int:
    from soilql.context import Resources
    from soilql.plan import make_plan
    from soilql.plan_view import plan_lines
    from soilql.store import Store

    spec = _checked(options)
    plan = make_plan(spec)
    resources = Resources(options.memory, options.workers)
    for line in plan_lines(plan, Store(options.store), _out(options), resources):
        print(line)
    problems = [d for node in plan.nodes for d in node.problems]
    show(problems)
    return USAGE if problems else CLEAN


def _run(options: argparse.Namespace) -> int:
    from soilql.context import Resources
    from soilql.plan import make_plan
    from soilql.progress import make_progress
    from soilql.run import execute
    from soilql.store import Store

    spec = _checked(options)
    plan = make_plan(spec, fetch=True)
    resources = Resources(options.memory, options.workers)
    progress = make_progress(sys.stderr, quiet=options.quiet)
    report = execute(plan, Store(options.store), spec=spec, out=_out(options), resources=resources, progress=progress)
    show(report.diagnostics)
    for line in report.lines():
        print(line)
    return CLEAN if report.ok else FAILED


def _out(options: argparse.Namespace) -> Path:
    out: Path = options.out or Path("runs") / Path(options.spec).stem
    return out


def _data(options: argparse.Namespace) -> int:
    from soilql.data_view import data_lines

    for line in data_lines(options.action, options.names):
        print(line)
    return CLEAN


def _schema(options: argparse.Namespace) -> int:
    from soilql.schema import json_schema

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.write_text(text, encoding="utf-8")
    return CLEAN


def _explain(options: argparse.Namespace) -> int:
    from soilql.explain import explain

    print(explain(options.topic))
    return CLEAN


def show(diagnostics: Sequence[Diagnostic]) -> None:
    """Print diagnostics to stderr, in colour where it is a terminal."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    for diagnostic in diagnostics:
        text = diagnostic.render()
        if colour:
            text = _paint(text, diagnostic)
        print(text, file=sys.stderr)


def _paint(text: str, diagnostic: Diagnostic) -> str:
    tone = _COLOURS[diagnostic.severity]
    head = f"{diagnostic.severity} {diagnostic.code}"
    painted = text.replace(head, f"\033[1;{tone}m{head}\033[0m", 1)
    return re.sub(r"^(\s*\| \s*)(\^+)", rf"\1\033[1;{tone}m\2\033[0m", painted, count=1, flags=re.MULTILINE)
