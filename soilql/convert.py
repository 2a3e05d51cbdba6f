"""One surface of a spec to the other: the same tree, the comments with the keys they belong to."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from soilql.errors import Diagnostic, SoilqlError, Source
from soilql.source import Mapping, Tree, parse_yaml
from soilql.surface.aliases import as_written
from soilql.surface.comments import Comments
from soilql.surface.same import plain
from soilql.surface.yamlread import yaml_comments
from soilql.surface.yamlwrite import write_yaml

Surface: TypeAlias = Literal["yaml", "soilql"]
SURFACES: tuple[Surface, ...] = get_args(Surface)


def surface_of(name: str) -> Surface:
    """Return the surface of a file by its name: the mini-language for `.soilql`, else YAML.

    Examples
    --------
    >>> surface_of("study.soilql"), surface_of("study.yml")
    ('soilql', 'yaml')
    """
    return "soilql" if name.endswith(".soilql") else "yaml"


def convert(text: str, source: Surface, target: Surface, name: str = "<text>") -> str:
    """Return a spec on another surface.

    Parameters
    ----------
    text : str
        The spec.
    source, target : {'yaml', 'soilql'}
        The surface it is on, and the one wanted. The same one is a new layout: see :func:`soilql.format.format_text`.
    name : str
        Name that diagnostics show.

    Returns
    -------
    str
        Text of the same tree: the keys in the same order, the same typed values. Aliases of YAML are written out, as
        the mini-language has none; comments stay with the keys they belong to.

    Raises
    ------
    SoilqlError
        With every syntax error of the text, or SQ101 where it is no mapping.

    Examples
    --------
    >>> print(convert("soilql: 1\\nvalidation: {f: {kind: kfold, folds: 5}}\\n", "yaml", "soilql"), end="")
    soilql 1
    <BLANKLINE>
    validation f = kfold(folds = 5)
    """
    tree, comments = read(text, source, name)
    return write(tree, comments, source, target)


def read(text: str, surface: Surface, name: str) -> tuple[Tree, Comments]:
    """Return the tree of a text and its comments.

    Raises
    ------
    SoilqlError
        The text has syntax errors, or is no mapping.
    """
    if surface == "soilql":
        from soilql.minilang.comments import soilql_comments
        from soilql.minilang.parse import parse_with_comments

        tree, spans = parse_with_comments(Source(name, text))
        _refuse(tree)
        return tree, soilql_comments(tree, spans)
    tree = parse_yaml(Source(name, text))
    _refuse(tree)
    written = Tree(tree.source, as_written(tree).root, ())
    return tree, yaml_comments(written)


def _refuse(tree: Tree) -> None:
    if tree.diagnostics:
        raise SoilqlError(tree.diagnostics)
    if tree.root is not None and not isinstance(tree.root, Mapping):
        raise SoilqlError(Diagnostic("SQ101", "a spec is a mapping", tree.root.span, help="begin with `soilql: 1`"))


def write(tree: Tree, comments: Comments, source: Surface, target: Surface) -> str:
    """Return a tree as text.

    Parameters
    ----------
    tree : Tree
        Without diagnostics.
    comments : Comments
        Its comments.
    source, target : {'yaml', 'soilql'}
        The surface it was read from, and the one wanted.

    Raises
    ------
    RuntimeError
        The text would not be read as the same tree; nothing is ever lost without a word.
    """
    if target == "soilql":
        from soilql.minilang.parse import parse_soilql
        from soilql.minilang.write import write_soilql

        text = write_soilql(tree.root, comments, by_place=source == "soilql")
        again = parse_soilql(Source("<written>", text))
    else:
        text = _write_yaml(tree, comments, source)
        again = parse_yaml(Source("<written>", text))
    if again.diagnostics or plain(again.root) != plain(tree.root):
        raise RuntimeError(f"the spec cannot be written as {target} without a change of its meaning")
    return text


def _write_yaml(tree: Tree, comments: Comments, source: Surface) -> str:
    if source == "soilql":
        return write_yaml(tree.root, comments, short_on_one_line=True)
    written = as_written(tree)
    return write_yaml(written.root, comments, anchors=written.anchors)
