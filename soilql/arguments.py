"""Commands and their options, as the command line takes them."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from soilql import __version__

_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; the options that it reads have the name of their command under ``command``.

    Examples
    --------
    >>> make_parser().parse_args(["run", "study.yaml", "--memory", "2GB"]).memory
    2147483648
    """
    parser = argparse.ArgumentParser(
        prog="soilql",
        description="A statistics workbench for global upscaling studies, as a declarative language.",
        epilog="`soilql COMMAND --help` shows the options of a command and an example.",
    )
    parser.add_argument("--version", action="version", version=f"soilql {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, text: str, example: str) -> argparse.ArgumentParser:
        about, example = text[0].upper() + text[1:] + ".", f"example: soilql {name} {example}"
        sub: argparse.ArgumentParser = commands.add_parser(name, help=text, description=about, epilog=example)
        sub.set_defaults(command=name)
        return sub

    _lint_options(command("lint", "check specs without running them, and mend them", "specs/ --fix"))
    fmt = command("fmt", "give specs the one layout, comments kept", "specs/ --check")
    fmt.add_argument("paths", nargs="+", metavar="SPEC", help="files and folders, or - for the standard input")
    how = fmt.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="change nothing; status 1 where a file would change")
    how.add_argument("--diff", action="store_true", help="as --check, and show how")
    convert = command("convert", "write a spec as YAML or in the mini-language", "study.yaml study.soilql")
    convert.add_argument("source", metavar="SPEC")
    convert.add_argument("target", nargs="?", metavar="TARGET", help="default: the other surface, printed")
    convert.add_argument("--force", action="store_true", help="write over a file that is there")
    render = command(
        "render", "print a spec with parents, inputs and recipes put in", "study.yaml --set years=2000-2014"
    )
    render.add_argument("spec", metavar="SPEC")
    _add_set(render)
    lock = command("lock", "pin the recipes that a spec uses, by sha256", "study.yaml --update")
    lock.add_argument("spec", metavar="SPEC")
    lock.add_argument("--update", action="store_true", help="fetch anew what is pinned, and pin what it is now")
    lock.add_argument("--local", action="store_true", help="pin files of this machine too")
    plan = command("plan", "show what a run would do, and why", "study.yaml")
    plan.add_argument("spec", metavar="SPEC")
    _add_set(plan)
    _add_places(plan)
    run = command("run", "run a spec; what is stored already is not computed again", "study.yaml --memory 4GB")
    run.add_argument("spec", metavar="SPEC")
    _add_set(run)
    _add_places(run)
    run.add_argument("--quiet", action="store_true", help="show problems only")
    audit = command("audit", "check whether printed figures fit together", "figures.csv --format json")
    audit.add_argument("table", metavar="FILE", help="a table of r, R2, p, n, totals ... as a paper prints them")
    audit.add_argument("--format", choices=("text", "json"), default="text")
    data = command("data", "public data sets: list, fetch, verify, where", "fetch srdb-v5")
    data.add_argument("action", choices=("list", "fetch", "verify", "where"))
    data.add_argument("names", nargs="*", metavar="NAME")
    schema = command("schema", "print the JSON Schema of a spec, for editors", "--output spec.schema.json")
    schema.add_argument("--output", type=Path, metavar="FILE", help="write it to a file")
    explain = command("explain", "explain a code, kind, section or function, or a model", "model qrf in study.yaml")
    explain.add_argument(
        "topic", nargs="*", metavar="TOPIC", help="a topic, or: model NAME in SPEC; default: their list"
    )
    lsp = command("lsp", "serve an editor: findings, completion, hover, rename as one types", "--stdio")
    lsp.add_argument("--stdio", action="store_true", help="over the standard input and output, as it does anyway")
    return parser


def _lint_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="files and folders, or - for the standard input")
    _add_set(parser)
    parser.add_argument("--format", choices=("text", "json", "sarif", "github"), default="text")
    parser.add_argument("--select", action="append", default=[], metavar="CODES", help="only these: SQ6,SQ301")
    parser.add_argument("--ignore", action="append", default=[], metavar="CODES", help="not these: SQ208")
    parser.add_argument(
        "--severity", choices=("error", "warning", "info"), default="info", help="the least that counts"
    )
    parser.add_argument("--fix", action="store_true", help="make the edits that can have meant nothing else")
    parser.add_argument("--unsafe-fixes", action="store_true", help="and those that may change what was meant")
    parser.add_argument("--diff", action="store_true", help="show these edits instead of making them")
    parser.add_argument("--stdin-filename", default="<stdin>", metavar="NAME", help="what the standard input is called")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    data = parser.add_argument_group("the data")
    data.add_argument("--data", action="store_true", help="look at the data too; nothing is fitted")
    data.add_argument("--fetch", action="store_true", help="and download what is not on this machine")
    _add_resources(data)


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="set an input of the spec")


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder (default runs/SPEC)")
    _add_resources(parser)


def _add_resources(parser: argparse._ActionsContainer) -> None:
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
