"""The command line. Everything that is printed is printed here."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from soilql.arguments import make_parser
from soilql.errors import Diagnostic, Severity, SoilqlError
from soilql.reporting import Outcome

if TYPE_CHECKING:
    from soilql.lint_files import Choice
    from soilql.spec import Spec
    from soilql.study.values import Places

CLEAN, FINDINGS, USAGE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        0 clean, 1 findings, 2 usage or unreadable input, 3 failure while running, 130 interrupted.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = make_parser()
    if not given:
        parser.print_help()
        return CLEAN
    options = parser.parse_args(given)
    try:
        return _COMMANDS[options.command](options)
    except SoilqlError as error:
        show(error.diagnostics)
        return USAGE
    except BrokenPipeError:
        # The reader of the output (head, less) has gone; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLEAN
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


# --- commands about the text of specs ---------------------------------------------------------------------------------


def _collect_seldom() -> None:
    """Let the garbage collector look less often: the trees of a long text are many objects, with no cycles in them."""
    gc.set_threshold(50_000, 20, 100)


def _lint(options: argparse.Namespace) -> int:
    if not options.data:
        _collect_seldom()
    from soilql.inputs import parse_settings
    from soilql.lint_command import Request, lint_command
    from soilql.reporting.text import wants_colour

    request = Request(
        tuple(options.specs),
        parse_settings(options.set),
        _choice(options),
        options.format,
        "unsafe" if options.unsafe_fixes else "safe" if options.fix or options.diff else "no",
        options.diff,
        options.stdin_filename,
        wants_colour(sys.stderr, options.color),
        _data_places(options),
    )
    return _print(lint_command(request, sys.stdin.buffer.read))


def _data_places(options: argparse.Namespace) -> Places | None:
    """Return where the data are looked at from; None where they are not looked at."""
    if not options.data:
        if options.fetch:
            raise SoilqlError(
                Diagnostic("SQ142", "`--fetch` downloads what `--data` is to look at", help="add `--data`")
            )
        return None
    from soilql.context import Resources
    from soilql.study.values import Places

    return Places(options.store, Resources(options.memory, options.workers), options.fetch)


def _choice(options: argparse.Namespace) -> Choice:
    from soilql.lint_files import Choice

    def prefixes(given: list[str]) -> tuple[str, ...]:
        return tuple(code.strip().upper() for part in given for code in part.split(",") if code.strip())

    return Choice(prefixes(options.select), prefixes(options.ignore), Severity(options.severity))


def _fmt(options: argparse.Namespace) -> int:
    _collect_seldom()
    from soilql.surface_commands import format_command

    return _print(format_command(options.paths, sys.stdin.buffer.read, check=options.check, diff=options.diff))


def _convert(options: argparse.Namespace) -> int:
    _collect_seldom()
    from soilql.surface_commands import convert_command

    return _print(convert_command(options.source, options.target, force=options.force))


def _render(options: argparse.Namespace) -> int:
    from soilql.resolved import resolved_text

    sys.stdout.write(resolved_text(_checked(options)))
    return CLEAN


def _lock(options: argparse.Namespace) -> int:
    from soilql.lock import lock

    done = lock(Path(options.spec), update=options.update, local=options.local)
    for what, addresses in (("new", done.new), ("changed", done.changed), ("kept", done.kept)):
        for address in addresses:
            print(f"{what:<7}  {address}")
    pinned = len(done.new) + len(done.changed) + len(done.kept)
    print(f"{pinned} pinned in {done.path}" if pinned else f"{options.spec} uses nothing that has to be pinned")
    return CLEAN


def _print(outcome: Outcome) -> int:
    sys.stdout.write(outcome.out)
    sys.stdout.flush()
    sys.stderr.write(outcome.err)
    return outcome.status


# --- commands that compute --------------------------------------------------------------------------------------------


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


def _audit(options: argparse.Namespace) -> int:
    from soilql.audit import audit_file

    found = audit_file(Path(options.table))
    sys.stdout.write(found.json() if options.format == "json" else found.text())
    return CLEAN if found.clean else FINDINGS


# --- commands that inform ---------------------------------------------------------------------------------------------


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
    match options.topic:
        case ["model", name, "in", path]:
            print(_model_text(name, path))
        case words:
            from soilql.explain import explain

            print(explain(" ".join(words)))
    return CLEAN


def _lsp(options: argparse.Namespace) -> int:
    from importlib.util import find_spec

    if find_spec("pygls") is None:
        print("soilql lsp needs pygls: pip install 'soilql[lsp]'", file=sys.stderr)
        return USAGE
    from soilql.lsp.server import serve

    return serve()


def _model_text(name: str, path: str) -> str:
    from soilql.errors import did_you_mean
    from soilql.formula.typeset import explain_model
    from soilql.spec import load

    spec = load(Path(path))
    block = spec.block(name)
    if block is None:
        show(spec.diagnostics)
        help = did_you_mean(name, spec.names()) or f"its blocks: {', '.join(spec.names())}"
        raise SoilqlError(Diagnostic("SQ140", f"{path} has no block `{name}`", help=help))
    return explain_model(block, spec)


def show(diagnostics: Sequence[Diagnostic]) -> None:
    """Print diagnostics to stderr, in colour where it is a terminal."""
    from soilql.reporting.text import render, wants_colour

    colour = wants_colour(sys.stderr)
    for diagnostic in diagnostics:
        print(render(diagnostic, colour=colour), file=sys.stderr)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "lint": _lint,
    "fmt": _fmt,
    "convert": _convert,
    "render": _render,
    "lock": _lock,
    "plan": _plan,
    "run": _run,
    "audit": _audit,
    "data": _data,
    "schema": _schema,
    "explain": _explain,
    "lsp": _lsp,
}
