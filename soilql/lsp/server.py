"""The server: it keeps the open texts, answers the editor, and never ends because of a text."""

from __future__ import annotations

import asyncio
import functools
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from soilql import __version__
from soilql.errors import SoilqlError, Source
from soilql.explain import codes, explain
from soilql.fingerprint import cache_folder
from soilql.lsp import actions, completion, definition, diagnostics, formatting, hover, outline, rename
from soilql.lsp.documents import Document
from soilql.lsp.positions import BOM, Encoding
from soilql.lsp.protocol import (
    Places,
    action_of,
    completion_item,
    diagnostic,
    highlight_of,
    hover_of,
    offset_of,
    range_of,
    symbol_of,
)

#: Seconds without a change after which a text is checked.
PAUSE = 0.25
REQUEST_FAILED = -32803

Result = TypeVar("Result")


class SoilqlServer(LanguageServer):
    """A language server for specs.

    The editor sends whole texts: how it and Python split a text into lines differs, and specs are small.
    """

    def __init__(self) -> None:
        super().__init__("soilql", __version__, text_document_sync_kind=lsp.TextDocumentSyncKind.Full)
        self._documents: dict[str, Document] = {}
        self._waiting: asyncio.Task[None] | None = None
        self._published: set[str] = set()

    # --- documents ------------------------------------------------------------------------------------------------

    def keep(self, item: lsp.TextDocumentItem | lsp.VersionedTextDocumentIdentifier, text: str, language: str) -> None:
        """Take over the text of an open file."""
        source = _source(item.uri, text.removeprefix(BOM), language)
        declared = language == "soilql"
        self._documents[item.uri] = Document(
            source, item.uri, item.version, text.startswith(BOM), self._encoding, declared, {}, self._folders
        )
        self.renew()

    def forget(self, uri: str) -> None:
        """Let go of a text that is no longer open."""
        self._documents.pop(uri, None)
        self.renew()

    def renew(self) -> None:
        """Make every document anew with the texts of the others: a file that it builds on may have changed."""
        texts = {d.source.path.resolve(): d.text for d in self._documents.values() if d.source.path is not None}
        self._documents = {
            uri: Document(d.source, uri, d.version, d.bom, d.encoding, d.declared, _without(texts, d), self._folders)
            for uri, d in self._documents.items()
        }

    def document(self, uri: str) -> Document | None:
        """Return an open document that is a spec."""
        found = self._documents.get(uri)
        return found if found is not None and (found.is_spec or not found.text.strip()) else None

    def language(self, uri: str) -> str:
        """Return what the editor calls the language of a document."""
        found = self._documents.get(uri)
        return "soilql" if found is not None and found.declared else "yaml"

    def places(self, doc: Document) -> Places:
        """Return how places are written for the editor."""
        return Places(doc, self._by_path)

    def _by_path(self, path: Path) -> Document | None:
        for one in self._documents.values():
            if one.source.path is not None and one.source.path.resolve() == path:
                return one
        return None

    @property
    def _encoding(self) -> Encoding:
        match str(getattr(self.workspace.position_encoding, "value", self.workspace.position_encoding)):
            case "utf-8":
                return "utf-8"
            case "utf-32":
                return "utf-32"
            case _:
                return "utf-16"

    @property
    def _folders(self) -> tuple[Path, ...]:
        uris = [folder.uri for folder in self.workspace.folders.values()] or [self.workspace.root_uri]
        paths = [to_fs_path(uri) for uri in uris if uri]
        return tuple(Path(path) for path in paths if path)

    # --- findings -------------------------------------------------------------------------------------------------

    def check_soon(self) -> None:
        """Check all open documents once nothing has changed for a moment."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = asyncio.get_running_loop().create_task(self._check_after_pause())

    async def _check_after_pause(self) -> None:
        await asyncio.sleep(PAUSE)
        for uri in list(self._documents):
            self.check(uri)
            await asyncio.sleep(0)  # let the editor's questions in between

    def check(self, uri: str) -> None:
        """Send the findings about a document."""
        doc = self.document(uri)
        found: list[lsp.Diagnostic] = []
        if doc is not None:
            found = self.guarded(functools.partial(self.diagnostics, doc), found, f"checking {uri}")
        elif uri not in self._published:
            return
        self._published.add(uri)
        version = None if doc is None else doc.version
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found, version))

    def diagnostics(self, doc: Document) -> list[lsp.Diagnostic]:
        """Return the findings about a document."""
        places = self.places(doc)
        return [diagnostic(one, doc, places, page(one.found.code)) for one in diagnostics.findings(doc)]

    def guarded(self, work: Callable[[], Result], otherwise: Result, what: str) -> Result:
        """Return what some work gives; where it fails, log why and go on."""
        try:
            return work()
        except JsonRpcException:
            raise
        except Exception:  # whatever a text brings to light, the server goes on
            message = f"soilql: {what} failed; please report this\n{traceback.format_exc()}"
            self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, message))
            return otherwise


def _without(texts: dict[Path, str], doc: Document) -> dict[Path, str]:
    own = None if doc.source.path is None else doc.source.path.resolve()
    return {path: text for path, text in texts.items() if path != own}


def _source(uri: str, text: str, language: str) -> Source:
    """Return a text under the name of its file; the name of one that has none yet tells its surface."""
    path = to_fs_path(uri) if uri.startswith("file:") else None
    name = path or uri
    if path is None and language == "soilql" and not name.endswith((".yaml", ".yml", ".soilql")):
        name = f"{name}.soilql"
    return Source(name, text, None if path is None else Path(path))


def page(code: str) -> str | None:
    """Return the address of a file in the user's cache with what `soilql explain` says of a code; None without one."""
    if code not in codes():
        return None
    path = cache_folder() / "explain" / __version__ / f"{code}.txt"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(explain(code, 100) + "\n", encoding="utf-8")
        return path.resolve().as_uri()
    except OSError:
        return None


def make_server() -> SoilqlServer:
    """Return a server that answers everything it can; nothing has been read or sent yet."""
    server = SoilqlServer()
    _add_texts(server)
    _add_answers(server)
    _add_changes(server)
    return server


def _add_texts(server: SoilqlServer) -> None:
    """Register what the editor tells about its texts."""

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: lsp.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        server.keep(item, item.text, item.language_id)
        server.check_soon()

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: lsp.DidChangeTextDocumentParams) -> None:
        item = params.text_document
        # The texts come whole; a client that sends parts all the same has them put together by pygls.
        whole = params.content_changes[-1:] and not hasattr(params.content_changes[-1], "range")
        text = params.content_changes[-1].text if whole else server.workspace.get_text_document(item.uri).source
        server.keep(item, text, server.language(item.uri))
        server.check_soon()

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: lsp.DidCloseTextDocumentParams) -> None:
        server.forget(params.text_document.uri)
        server.check(params.text_document.uri)
        server.check_soon()

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def did_save(params: lsp.DidSaveTextDocumentParams) -> None:
        server.renew()
        server.check_soon()

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_files(params: lsp.DidChangeWatchedFilesParams) -> None:
        server.renew()
        server.check_soon()


def _add_answers(server: SoilqlServer) -> None:
    """Register the questions that the editor asks."""

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    @_about(server)
    def on_hover(doc: Document, params: lsp.HoverParams) -> lsp.Hover | None:
        found = hover.hover(doc, offset_of(params.position, doc))
        return None if found is None else hover_of(found, doc)

    @server.feature(
        lsp.TEXT_DOCUMENT_COMPLETION,
        lsp.CompletionOptions(trigger_characters=[".", ":", "$", "{", "[", "(", "|", "=", "~", " ", '"', "/"]),
    )
    @_about(server)
    def on_completion(doc: Document, params: lsp.CompletionParams) -> lsp.CompletionList:
        found = completion.complete(doc, offset_of(params.position, doc))
        items = [completion_item(one, doc, order) for order, one in enumerate(found)]
        return lsp.CompletionList(is_incomplete=False, items=items)

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    @_about(server)
    def on_definition(doc: Document, params: lsp.DefinitionParams) -> list[lsp.Location]:
        places = server.places(doc)
        return [places.location(span) for span in definition.definition(doc, offset_of(params.position, doc))]

    @server.feature(lsp.TEXT_DOCUMENT_REFERENCES)
    @_about(server)
    def on_references(doc: Document, params: lsp.ReferenceParams) -> list[lsp.Location]:
        places, offset = server.places(doc), offset_of(params.position, doc)
        found = definition.references(doc, offset, definitions=params.context.include_declaration)
        return [places.location(span) for span in found]

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    @_about(server)
    def on_highlight(doc: Document, params: lsp.DocumentHighlightParams) -> list[lsp.DocumentHighlight]:
        return [highlight_of(one, doc) for one in definition.highlights(doc, offset_of(params.position, doc))]

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    @_about(server)
    def on_symbols(doc: Document, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        return [symbol_of(one, doc) for one in outline.outline(doc)]


def _add_changes(server: SoilqlServer) -> None:
    """Register what changes texts."""

    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    @_about(server)
    def on_formatting(doc: Document, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
        try:
            edits = formatting.formatting(doc)
        except SoilqlError as error:
            first = error.diagnostics[0]
            text = f"soilql: not laid out, as the text has syntax errors: {first.span}: {first.message}"
            server.window_log_message(lsp.LogMessageParams(lsp.MessageType.Warning, text))
            return None
        return [lsp.TextEdit(range_of(one.span, doc.positions), one.text) for one in edits]

    @server.feature(lsp.TEXT_DOCUMENT_PREPARE_RENAME)
    @_about(server)
    def on_prepare(doc: Document, params: lsp.PrepareRenameParams) -> lsp.PrepareRenamePlaceholder:
        span, name = _or_refuse(lambda: rename.prepare(doc, offset_of(params.position, doc)))
        return lsp.PrepareRenamePlaceholder(range_of(span, doc.positions), name)

    @server.feature(lsp.TEXT_DOCUMENT_RENAME, lsp.RenameOptions(prepare_provider=True))
    @_about(server)
    def on_rename(doc: Document, params: lsp.RenameParams) -> lsp.WorkspaceEdit:
        edits = _or_refuse(lambda: rename.rename(doc, offset_of(params.position, doc), params.new_name))
        return server.places(doc).edit(edits)

    kinds = [lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.SourceFixAll]

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=kinds))
    @_about(server)
    def on_actions(doc: Document, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        places = server.places(doc)
        start, end = (doc.positions.offset(at.line, at.character) for at in (params.range.start, params.range.end))
        shown = dict(zip(map(id, diagnostics.findings(doc)), server.diagnostics(doc), strict=True))
        found = actions.actions(doc, start, end)
        if _wants(params, lsp.CodeActionKind.SourceFixAll) and (whole := actions.fix_all(doc)) is not None:
            found.append(whole)
        made = [action_of(one, doc, places, shown) for one in found]
        return [one for one in made if _wants(params, str(getattr(one.kind, "value", one.kind)))]

    @server.command("soilql.explain")
    def on_explain(code: str) -> None:
        text = server.guarded(lambda: explain(code, 80), f"nothing is known about {code}", f"explaining {code}")
        server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Info, text))


def _wants(params: lsp.CodeActionParams, kind: str) -> bool:
    """Return whether the editor asks for actions of a kind; it names kinds by their beginnings."""
    only = params.context.only
    return not only or any(kind == one or kind.startswith(f"{getattr(one, 'value', one)}.") for one in only)


def _or_refuse(work: Callable[[], Result]) -> Result:
    """Return what some work gives; a refusal is told to the person who asked."""
    try:
        return work()
    except rename.RefusedError as refused:
        raise JsonRpcException(str(refused), REQUEST_FAILED) from None


def _about(server: SoilqlServer) -> Callable[[Callable[[Document, Any], Result]], Callable[[Any], Result | None]]:
    """Return a decorator for answers about a document: none for a text that is no spec, and none after a failure."""

    def decorate(answer: Callable[[Document, Any], Result]) -> Callable[[Any], Result | None]:
        @functools.wraps(answer)
        def asked(params: Any) -> Result | None:
            doc = server.document(params.text_document.uri)
            if doc is None:
                return None
            return server.guarded(lambda: answer(doc, params), None, answer.__name__)

        return asked

    return decorate


def serve() -> int:
    """Serve an editor over the standard input and output until it says so."""
    make_server().start_io()
    return 0
