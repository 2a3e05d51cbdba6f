"""The one layout of a spec, as the edits that give it to a text."""

from __future__ import annotations

import difflib
import re

from soilql.edits import line_end
from soilql.format import format_text
from soilql.lsp.documents import Document
from soilql.lsp.edits import Edit


def formatting(doc: Document) -> list[Edit]:
    """Return the edits that `soilql fmt` would make, line by line; line ends stay as they are.

    Raises
    ------
    SoilqlError
        The text has syntax errors.

    Examples
    --------
    >>> from soilql.lsp.documents import document
    >>> [(edit.span.line, edit.text) for edit in formatting(document("soilql: 1\\nmeta: {title:  x}\\n"))]
    [(2, 'meta: {title: x}\\n')]
    """
    if not doc.is_spec:
        return []
    end = line_end(doc.text)
    laid_out = format_text(doc.text, doc.surface, doc.source.name)
    new = [f"{line}{end}" for line in laid_out.replace("\r\n", "\n").split("\n")]
    new[-1] = new[-1].removesuffix(end)
    return _differences(doc, [line for line in new if line])


def _differences(doc: Document, new: list[str]) -> list[Edit]:
    old = _lines(doc.text)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return [
        Edit(doc.source.span(starts[i], starts[j]), "".join(new[k:m]))
        for what, i, j, k, m in matcher.get_opcodes()
        if what != "equal"
    ]


def _lines(text: str) -> list[str]:
    """Return the lines of a text with their ends, as the protocol counts them."""
    return [line for line in re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text) if line]
