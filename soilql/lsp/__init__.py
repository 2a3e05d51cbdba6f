"""The language server: what an editor asks about the text of a spec, on either surface.

One module a capability, each of pure functions of a document and an offset in its text; only `server.py` and
`protocol.py` know of the protocol. Texts that are being typed are seldom whole: `recovery.py` gives what can be read
of one, `cursor.py` where in it a new word would stand.
"""
