"""What a registry file says of a data set: its files, variables, reader, licence and citation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from soilql.errors import Diagnostic, SoilqlError


@dataclass(frozen=True)
class File:
    """One file of a data set.

    Attributes
    ----------
    name : str
        The name under which it is looked for; ``name + ".gz"`` is found too where a table is read.
    sha256 : str
        Of the source's bytes, unpacked.
    size : int
        Of the source's bytes, unpacked.
    url : str or None
        At a pinned commit; None where the file cannot be downloaded as it is.
    made_from : str
        For such a file, the address of what it was made from.
    """

    name: str
    sha256: str
    size: int
    url: str | None = None
    made_from: str = ""


@dataclass(frozen=True)
class Variable:
    """A column or layer of a data set, as the lint sees it without the data.

    Attributes
    ----------
    unit : str
        Empty for text, categories, and numbers such as years of the calendar.
    type : {"number", "text", "category"}
        A category is a number that stands for a class.
    description : str
    range : tuple of float or None
        Values beyond it are errors in the data.
    categories : mapping of int to str
        What the numbers of a category stand for.
    """

    unit: str = ""
    type: Literal["number", "text", "category"] = "number"
    description: str = ""
    range: tuple[float, float] | None = None
    categories: Mapping[int, str] | None = None


@dataclass(frozen=True)
class Entry:
    """A data set of the registry.

    Attributes
    ----------
    name, title : str
    files : tuple of File
        None for a product that its users have to fetch themselves, in files of their choice.
    licence, citation, homepage : str
    doi : str
        Without ``https://doi.org/``; empty where there is none.
    reader : mapping
        ``kind`` (``table``, ``grid`` or ``recipe``) and the defaults of that reader's parameters.
    variables : mapping of str to Variable
        Columns of a table, layers of a grid; none of a recipe.
    aliases, notes : tuple of str
    folder : Path or None
        Where the files are that come with soilql.
    """

    name: str
    title: str
    files: tuple[File, ...]
    licence: str
    citation: str
    homepage: str
    reader: Mapping[str, Any]
    variables: Mapping[str, Variable]
    doi: str = ""
    aliases: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def kind(self) -> str:
        """``table``, ``grid`` or ``recipe``."""
        return str(self.reader["kind"])

    def citation_text(self) -> str:
        """Return the reference with its DOI, for a bibliography.

        Examples
        --------
        >>> from soilql.registry import find
        >>> find("srdb-v5").citation_text().rsplit(" ", 1)[1]
        'https://doi.org/10.5194/essd-13-255-2021'
        """
        return f"{self.citation} https://doi.org/{self.doi}" if self.doi else f"{self.citation} {self.homepage}"


def read_registry(path: Path) -> list[Entry]:
    """Return the data sets of a registry file.

    Raises
    ------
    SoilqlError
        SQ702 for a file that cannot be read, SQ145 for one that does not follow the form.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SoilqlError(Diagnostic("SQ702", f"cannot read the registry file `{path}`: {error}")) from error
    if not isinstance(content, dict):
        raise malformed(path, "", "it must be a mapping of names to data sets")
    return [_entry(path, str(name), item) for name, item in content.items() if not str(name).startswith("x-")]


def _entry(path: Path, name: str, item: Any) -> Entry:
    try:
        fields = dict(item)
        fields["files"] = tuple(File(**file) for file in item["files"])
        is_recipe = item["reader"].get("kind") == "recipe"
        listed = item.get("variables", {}) if is_recipe else item["variables"]
        fields["variables"] = {str(key): _variable(value) for key, value in listed.items()}
        for key in ("aliases", "notes"):
            fields[key] = tuple(item.get(key, ()))
        entry = Entry(name=name, **fields)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        missing = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
        raise malformed(path, name, missing) from error
    if entry.reader.get("kind") not in ("table", "grid", "recipe"):
        raise malformed(path, name, "it needs a `reader` of kind `table`, `grid` or `recipe`")
    if entry.folder is not None:
        raise malformed(path, name, "`folder` is for what comes with soilql")
    if entry.kind == "recipe" and len(entry.files) != 1:
        raise malformed(path, name, "a recipe is one file")
    if not entry.files and entry.kind != "grid":
        raise malformed(path, name, "it needs `files`, which only a product of grids may leave empty")
    if bad := [file.name for file in entry.files if len(file.sha256) != 64 or Path(file.name).name != file.name]:
        raise malformed(path, name, f"`{bad[0]}` needs a sha256 of 64 digits and a name without folders")
    return entry


def _variable(value: Mapping[str, Any]) -> Variable:
    fields = dict(value)
    if "range" in fields:
        low, high = fields["range"]
        fields["range"] = (float(low), float(high))
    return Variable(**fields)


def malformed(path: Path, name: str, why: str) -> SoilqlError:
    """Return the error for a registry file that does not follow the form."""
    of = f", data set `{name}`" if name else ""
    return SoilqlError(Diagnostic("SQ145", f"registry file `{path}`{of}: {why}"))
