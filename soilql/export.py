"""Files of a run folder: written beside their place, moved into it, left alone where they are right."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from soilql import __version__, manifest
from soilql.manifest import Output
from soilql.outputs.names import file_stem
from soilql.plan import Node
from soilql.store.disk import sync_folder
from soilql.values import Fitted, Grid, Table, Value

#: Sections of a spec whose values are results.
SECTIONS = ("models", "analyses")
_PARTIAL = ".partial"


class Exporter:
    """Write the results of a run into its folder.

    Parameters
    ----------
    folder : Path
        The run folder; nobody else writes there meanwhile.

    Attributes
    ----------
    outputs : list of Output
        What stands in the folder and belongs there, so far.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._previous = manifest.read(folder)
        self._changed = False
        self.outputs: list[Output] = []
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / _PARTIAL, ignore_errors=True)

    def export(self, node: Node, load: Callable[[], Value]) -> None:
        """Write the files of a node's value, unless they are there already.

        Parameters
        ----------
        node : Node
            The node; nothing is written for one that is no result.
        load : callable
            Gives its value; called only if it has to be written.

        Raises
        ------
        SoilqlError
            A file cannot be written (SQ901).
        """
        if node.block.section not in SECTIONS:
            return
        if self._up_to_date(node.name, node.key):
            self.outputs += self._previous.of(node.name)
            return
        stem = file_stem(node.name)
        place = Path(node.block.section, stem)
        partial = self._folder / _PARTIAL / place
        partial.mkdir(parents=True)
        # The key stands for all that decides the result; a title or a comment does not change a file.
        provenance = {"soilql": __version__, "block": node.name, "key": node.key}
        self._place(_write(load(), partial, stem, provenance), place, node.name, node.key)

    def write_text(self, name: str, text: str) -> None:
        """Write a text that belongs to the whole run."""
        path = self._folder / name
        if not (path.is_file() and path.read_bytes() == text.encode()):
            self._change()
            manifest.write_whole(path, text)
        self.outputs.append(manifest.output(self._folder, path, "", ""))

    def keep(self, block: str) -> None:
        """Keep the files that an earlier run wrote for a block that failed now; their key says so."""
        present = (output for output in self._previous.of(block) if self._is_there(output))
        self.outputs += present

    def finish(self) -> None:
        """Remove the files of earlier runs that no block stands for any more."""
        wanted = {output.path for output in self.outputs}
        for output in self._previous.outputs:
            if output.path not in wanted:
                self._remove(output.path)
        shutil.rmtree(self._folder / _PARTIAL, ignore_errors=True)

    def _up_to_date(self, block: str, key: str) -> bool:
        listed = self._previous.of(block)
        known = bool(listed) and self._previous.soilql == __version__
        return known and all(output.key == key and self._is_there(output) for output in listed)

    def _is_there(self, output: Output) -> bool:
        path = self._folder / output.path
        try:
            return path.stat().st_size == output.bytes and manifest.sha256(path) == output.sha256
        except OSError:
            return False

    def _place(self, files: list[Path], place: Path, block: str, key: str) -> None:
        """Move written files into the run folder and remove those that stood there for the block before."""
        self._change()
        target = self._folder / place
        target.mkdir(parents=True, exist_ok=True)
        new = []
        for file in sorted(files):
            with file.open("rb") as written:
                os.fsync(written.fileno())
            path = target / file.name
            file.replace(path)
            new.append(manifest.output(self._folder, path, block, key))
        sync_folder(target)
        for old in self._previous.of(block):
            if old.path not in {output.path for output in new}:
                self._remove(old.path)
        self.outputs += new

    def _remove(self, name: str) -> None:
        path = (self._folder / name).resolve()
        root = self._folder.resolve()
        if not path.is_relative_to(root) or not path.is_file():
            return  # the record was edited, or the file is gone already
        self._change()
        path.unlink()
        for folder in path.parents:
            if folder == root or any(folder.iterdir()):
                break
            folder.rmdir()

    def _change(self) -> None:
        if not self._changed:
            manifest.set_aside(self._folder)
            self._changed = True


def _write(value: Value, folder: Path, stem: str, provenance: Mapping[str, str]) -> list[Path]:
    if isinstance(value, Grid):
        return _write_grid(value, folder, stem, provenance)
    if isinstance(value, Table):
        return _write_table(value, folder, stem, provenance)
    assert isinstance(value, Fitted)
    return _write_model(value, folder, stem, provenance)


def _write_grid(grid: Grid, folder: Path, stem: str, provenance: Mapping[str, str]) -> list[Path]:
    from soilql.outputs.grids import write_grid
    from soilql.outputs.maps import write_map

    paths = write_grid(grid, folder, stem, provenance)
    for variable, data in grid.data.items():
        # Single members are draws, and their mean is nearly the map of the mean.
        if "member" not in data.dims:
            paths.append(folder / f"{stem}_{variable}.png")
            write_map(grid, str(variable), paths[-1], f"{stem}.{variable}")
    for name, extra in grid.extras.items():
        paths += _write_table(extra, folder, f"{stem}.{name}", provenance)
    return paths


def _write_table(table: Table, folder: Path, stem: str, provenance: Mapping[str, str]) -> list[Path]:
    from soilql.outputs.gallery import draw
    from soilql.outputs.tables import write_table

    paths = write_table(table, folder, stem, provenance)
    for name, shown in {stem: table, **{f"{stem}.{extra}": one for extra, one in table.extras.items()}}.items():
        paths += draw(shown, folder / f"{name}.png", name)
    return paths


def _write_model(model: Fitted, folder: Path, stem: str, provenance: Mapping[str, str]) -> list[Path]:
    path = folder / f"{stem}.txt"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(model.report().rstrip("\n") + "\n")
    return [path, *_write_table(model.summary(), folder, stem, provenance)]
