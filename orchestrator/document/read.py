"""YAML to a located tree, by libyaml's events: limits, duplicate keys, traps, safe tags only.

Events instead of PyYAML's composer: nothing recurses, the limits hold before anything is built, and the source text
of each plain scalar is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from orchestrator.diagnostics import Findings, Place, Related
from orchestrator.document import syntax
from orchestrator.document.node import Node, Span
from orchestrator.document.scalars import explain_trap, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 2_000_000
MAX_DEPTH = 100
MAX_ALIASES = 1_000
MAX_EXPANDED = 100_000
"""Values that aliases may add, against bombs of nested aliases."""

START = "start with `version: 1` and `service: NAME`"

C_PARSER = hasattr(yaml, "CSafeLoader")
_LOADER: Any = yaml.CSafeLoader if C_PARSER else yaml.SafeLoader

_TAG = "tag:yaml.org,2002:"
_SAFE_TAGS = frozenset({_TAG + name for name in ("str", "int", "float", "bool", "null", "seq", "map")})
_DIRECTIVES = {"!replace": "replace", "!remove": "remove"}


def read(data: bytes, file: str, findings: Findings, *, overlay: bool = False) -> Node | None:
    """The tree of one YAML document, or None if it cannot be read; every problem is a finding.

    An overlay may be empty: then it changes nothing.
    """
    text = _decode(data, file, findings)
    if text is None:
        return None
    reader = _Reader(file, findings, text)
    try:
        root = reader.run()
    except _Stop:
        return None
    except yaml.YAMLError as error:
        syntax.report(error, file, text, findings)
        return None
    if root is None:
        return _empty(file, findings, overlay=overlay)
    if not isinstance(root.value, dict):
        kind = "a list" if isinstance(root.value, list) else "a single value"
        findings.add(
            "ORC006", f"the top level must be a mapping, found {kind}", root.place,
            hint=START,
        )  # fmt: skip
        return None
    return root


def _empty(file: str, findings: Findings, *, overlay: bool) -> Node | None:
    place = Place(file, 1, 1, 1, 1)
    if not overlay:
        findings.add("ORC005", "the document is empty", place, hint=START)
        return None
    findings.add("ORC005", "the overlay is empty: it changes nothing", place, severity="warning",
                 hint="write what differs, or remove the file")  # fmt: skip
    root = Node({}, file, (1, 1, 1, 1))
    root.keys = {}
    return root


def _decode(data: bytes, file: str, findings: Findings) -> str | None:
    place = Place(file)
    if len(data) > MAX_BYTES:
        findings.add("ORC002", f"the file has more than {MAX_BYTES:,} bytes", place, hint="is this the right file?")  # fmt: skip
        return None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint = f"iconv -f UTF-16 -t UTF-8 {file}"
        findings.add("ORC003", "the file is UTF-16, not UTF-8", place, hint=hint)
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        start = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[start : error.start].decode("utf-8", "replace")) + 1
        findings.add(
            "ORC003", f"cannot decode the file as UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            Place(file, line, column, line, column + 1), hint="a spec is UTF-8 text; is this the right file?",
        )  # fmt: skip
        return None
    if data.startswith(b"\xef\xbb\xbf"):
        place = Place(file, 1, 1, 1, 1)
        findings.add("ORC018", "the file starts with a byte order mark", place, hint="save it as UTF-8 without BOM")  # fmt: skip
    if "\r\n" in text:
        line = text.count("\n", 0, text.index("\r\n")) + 1
        place = Place(file, line, 1, line, 1)
        findings.add("ORC018", "lines end with CR LF", place, hint="save the file with LF line endings")
    return text


class _Stop(Exception):
    """The rest of this document cannot be read."""


class _Open:
    """A collection that is being read."""

    __slots__ = ("anchor", "key", "merges", "node", "size")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: Node | None = None
        self.merges: list[Node] = []
        self.size = 1


class _Reader:
    def __init__(self, file: str, findings: Findings, text: str) -> None:
        self.file = file
        self.findings = findings
        self.text = text
        self.anchors: dict[str, Node] = {}
        self.sizes: dict[int, int] = {}
        self.stack: list[_Open] = []
        self.aliases = 0
        self.expanded = 0
        self.root: Node | None = None

    def run(self) -> Node | None:
        documents = 0
        for event in self._events():
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._add(self._scalar(event), event.anchor, 1)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._open(event, {} if kind is yaml.MappingStartEvent else [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self._stop("ORC012", "a second document starts here, a spec is one document", event,
                               "remove the `---`, or lay the second one over the first as an overlay")  # fmt: skip
        root = self.root
        if root is not None and root.value is None and root.raw in ("", None):
            return None
        return root

    def _events(self) -> Iterator[Any]:
        loader = _LOADER(self.text)
        try:
            while loader.check_event():
                yield loader.get_event()
        finally:
            loader.dispose()

    def _stop(self, code: str, message: str, event: Any, hint: str = "") -> None:
        self.findings.add(code, message, Place(self.file, *_span(event)), hint=hint)
        raise _Stop

    def _scalar(self, event: Any) -> Node:
        span = _span(event)
        node = Node(event.value, self.file, span)
        if event.tag is not None and event.tag != "!":
            self._tagged(node, event)
        elif not event.style and event.implicit[0]:
            value, trap = resolve(event.value)
            if value.__class__ is not str or trap or value == "<<":
                node.value, node.raw = value, event.value
                node.trap = trap
        return node

    def _tagged(self, node: Node, event: Any) -> None:
        tag = event.tag
        if tag in _DIRECTIVES:
            node.directive = _DIRECTIVES[tag]
            if not event.style:
                node.value, node.trap = resolve(event.value)
                node.raw = event.value
        elif tag in _SAFE_TAGS and tag.rpartition(":")[2] not in ("seq", "map"):
            if tag != _TAG + "str":
                node.value, node.trap = resolve(event.value)
                node.raw = event.value
        else:
            self._unsafe(tag, node)

    def _unsafe(self, tag: str, node: Node) -> None:
        shown = "!!" + tag[len(_TAG) :] if tag.startswith(_TAG) else tag
        self.findings.add(
            "ORC011", f"the tag `{shown}` is not allowed in a spec", node.place,
            hint="only plain YAML values, and in overlays `!replace` and `!remove`",
        )  # fmt: skip

    def _open(self, event: Any, value: dict[str, Node] | list[Node]) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self._stop("ORC007", f"nested deeper than {MAX_DEPTH} levels", event,
                       "a spec has some ten levels: is this the right file?")  # fmt: skip
        node = Node(value, self.file, _span(event))
        if isinstance(value, dict):
            node.keys = {}
        tag = event.tag
        if tag in _DIRECTIVES:
            node.directive = _DIRECTIVES[tag]
        elif tag is not None and tag != "!" and tag != _TAG + ("map" if isinstance(value, dict) else "seq"):
            self._unsafe(tag, node)
        self.stack.append(_Open(node, event.anchor))

    def _close(self, event: Any) -> None:
        done = self.stack.pop()
        span = done.node.span
        done.node.span = (span[0], span[1], event.end_mark.line + 1, event.end_mark.column + 1)
        if done.merges:
            _merge(done)
        self._add(done.node, done.anchor, done.size)

    def _alias(self, event: Any) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            self._stop("ORC008", f"more than {MAX_ALIASES:,} aliases", event)
        node = self.anchors.get(event.anchor)
        if node is None:
            if any(opened.anchor == event.anchor for opened in self.stack):
                self._stop("ORC022", f"the alias `*{event.anchor}` is inside its own anchor", event,
                           "write out its value here")  # fmt: skip
            self._stop("ORC004", f"cannot parse the YAML: undefined alias `*{event.anchor}`", event,
                       f"define it first with `&{event.anchor}`")  # fmt: skip
        assert node is not None
        size = self.sizes.get(id(node), 1)
        self.expanded += size
        if self.expanded > MAX_EXPANDED:
            self._stop("ORC008", f"the aliases unfold to more than {MAX_EXPANDED:,} values", event,
                       "aliases of aliases multiply: write some of them out")  # fmt: skip
        self._add(node, None, size)

    def _add(self, node: Node, anchor: str | None, size: int) -> None:
        if anchor:
            self.anchors[anchor] = node
            self.sizes[id(node)] = size
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        parent.size += size
        into = parent.node.value
        if isinstance(into, list):
            self._warn_of_trap(node)
            into.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            key, parent.key = parent.key, None
            self._entry(parent, key, node)

    def _entry(self, parent: _Open, key: Node, node: Node) -> None:
        if key.value == "<<" and key.raw is not None:  # in quotes it is an ordinary key
            self._merge_key(parent, key, node)
            return
        name = key.value
        if not isinstance(name, str):
            self._not_text(key)
            if key.raw is None:
                return
            name = key.raw
        mapping, keys = parent.node.value, parent.node.keys
        assert isinstance(mapping, dict)
        assert keys is not None
        if name in mapping:
            first = Place(keys[name][0], *keys[name][1])
            self.findings.add(
                "ORC009", f"the key `{name}` is given twice", key.place,
                hint="keep one of the two; YAML alone would silently take the last",
                related=[Related("first given here", first)],
            )  # fmt: skip
            return
        self._warn_of_trap(node)
        mapping[name] = node
        keys[name] = (key.file, key.span)

    def _not_text(self, key: Node) -> None:
        if key.raw is None:
            message, hint = "a key must be text, found a collection", "write the key as a word"
        else:
            made = {True: "the boolean true", False: "the boolean false", None: "null"}
            value = key.value
            shown = made.get(value) if value is None or isinstance(value, bool) else f"the number {value}"
            message, hint = f"a key must be text, YAML reads `{key.raw}` as {shown}", f'write "{key.raw}":'
        self.findings.add("ORC010", message, key.place, hint=hint)

    def _merge_key(self, parent: _Open, key: Node, node: Node) -> None:
        sources = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(source.value, dict) for source in sources):
            self.findings.add("ORC019", "`<<` merges mappings, found something else", key.place, severity="error",
                              hint="write `<<: *anchor` with the anchor on a mapping")  # fmt: skip
            return
        parent.merges.extend(sources)

    def _warn_of_trap(self, node: Node) -> None:
        if node.trap and node.raw is not None:
            message, hint = explain_trap(node.trap, node.raw, node.value)
            self.findings.add(node.trap, message, node.place, hint=hint)


def _merge(done: _Open) -> None:
    """YAML's merge key: the mapping's own keys win, then those of the first source that has them."""
    mapping, keys = done.node.value, done.node.keys
    assert isinstance(mapping, dict)
    assert keys is not None
    for source in done.merges:
        assert isinstance(source.value, dict)
        assert source.keys is not None
        for name, value in source.value.items():
            if name not in mapping:
                mapping[name] = value
                keys[name] = source.keys[name]


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    line = start.line + 1
    last = line if end.line == start.line else end.line + 1  # one object for equal numbers: a spec has many
    return (line, start.column + 1, last, end.column + 1)
