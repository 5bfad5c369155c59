"""XMP packets (ISO 16684-1) as a tree of properties: RDF/XML from strangers, recovered as far as it can be read."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

# Packets of editing programs are far smaller; what is longer, deeper or more is left out.
MAX_PACKET_BYTES = 8 * 1024 * 1024
_MAX_DEPTH, _MAX_NODES, _MAX_RESTARTS = 40, 20_000, 20
# Prefixes by which properties are named here, whatever the packet calls them; URIs without their last `/` or `#`.
NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns",
    "xml": "http://www.w3.org/XML/1998/namespace",
    "x": "adobe:ns:meta",
    "dc": "http://purl.org/dc/elements/1.1",
    "xmp": "http://ns.adobe.com/xap/1.0",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights",
    "xmpNote": "http://ns.adobe.com/xmp/note",
    "photoshop": "http://ns.adobe.com/photoshop/1.0",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29",
    "tiff": "http://ns.adobe.com/tiff/1.0",
    "exif": "http://ns.adobe.com/exif/1.0",
    "exifEX": "http://cipa.jp/exif/1.0",
    "aux": "http://ns.adobe.com/exif/1.0/aux",
    "lr": "http://ns.adobe.com/lightroom/1.0",
    "digiKam": "http://www.digikam.org/ns/1.0",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0",
    "MP": "http://ns.microsoft.com/photo/1.2",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions",
    "mwg-kw": "http://www.metadataworkinggroup.com/schemas/keywords",
    "mediapro": "http://ns.iview-multimedia.com/mediapro/1.0",
    "acdsee": "http://ns.acdsee.com/iptc/1.0",
    "cc": "http://creativecommons.org/ns",
}
_PREFIXES = {uri: prefix for prefix, uri in NAMESPACES.items()}
_NODE_ID = f"{{{NAMESPACES['rdf']}#}}nodeID"
_FRAMES = ("packet", "x:xmpmeta", "x:xapmeta", "rdf:RDF", "rdf:Description")
_CONTAINERS = ("rdf:Alt", "rdf:Bag", "rdf:Seq")
# Declared around every packet, for the packets that forgot to. A packet's own declarations come later and win.
_WRAPPER = "<packet {}>".format(" ".join(f'xmlns:{p}="{uri}"' for p, uri in NAMESPACES.items() if p != "xml"))
_DECLARATION = re.compile(r"<\?xml\b[^>]{0,200}\?>")
_NO_XML_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(
    r"&(?:(?P<name>amp|lt|gt|quot|apos);|#(?P<decimal>\d{1,7});|#x(?P<hexadecimal>[\dA-Fa-f]{1,6});)?"
)
_BAD_BYTES = re.compile("[\udc80-\udcff]+")
_BOMS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_PROPERTY_START = re.compile(rb"<(?!rdf:(?:li|Alt|Bag|Seq)\b)[A-Za-z][\w.-]*:[A-Za-z]")


@dataclass
class Node:
    """An element: its name as `dc:title`, its attributes and children by such names, its text."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.parts).strip()

    @property
    def has_content(self) -> bool:
        return bool(self.text or self.children or self.attributes)

    @property
    def items(self) -> list[Node]:
        """The entries of an Alt, Bag or Seq; the node itself where the property has one value."""
        for child in self.children:
            if child.name in _CONTAINERS:
                return [entry for entry in child.children if entry.name == "rdf:li"]
        return [self]

    def values(self) -> list[str]:
        """The texts of all entries, those that are blank left out."""
        return [text for entry in self.items if (text := entry.value())]

    def value(self) -> str:
        """The text of an entry, also of one that stands in an attribute or has qualifiers."""
        value = self.text or self.attributes.get("rdf:resource", "") or self.attributes.get("rdf:value", "")
        if value:
            return value
        return next((child.text for child in _inner(self).children if child.name == "rdf:value"), "")

    def fields(self) -> dict[str, Node]:
        """The fields of a structure, however it is written: as attributes, as elements, in an rdf:Description."""
        inner = _inner(self)
        found: dict[str, Node] = {}
        for node in (self, inner) if inner is not self else (self,):
            for name, value in node.attributes.items():
                found.setdefault(name, Node(name, parts=[value]))
        for child in inner.children:
            found.setdefault(child.name, child)
        return found


def _inner(node: Node) -> Node:
    return next((child for child in node.children if child.name == "rdf:Description"), node)


class Properties:
    """The properties of a packet by name, `dc:title`; the first of each that has a value counts."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = dict(nodes)

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def extended_by(self, other: Properties) -> Properties:
        """These and, of `other`, those that are missing."""
        return Properties(other._nodes | self._nodes)

    def node(self, name: str) -> Node | None:
        return self._nodes.get(name)

    def texts(self, *names: str) -> list[str]:
        """All entries of the first of these properties that has any."""
        return next((values for name in names if (node := self.node(name)) and (values := node.values())), [])

    def text(self, *names: str) -> str:
        """The text of the first of these properties that has any: in the default language, else the first."""
        return next((text for name in names if (node := self.node(name)) and (text := _default_text(node))), "")

    def structures(self, name: str) -> list[dict[str, Node]]:
        """The fields of each entry of a list of structures, or of the one there is."""
        node = self.node(name)
        return [entry.fields() for entry in node.items] if node else []


def _default_text(node: Node) -> str:
    entries = [(entry.attributes.get("xml:lang", "").lower(), text) for entry in node.items if (text := entry.value())]
    return next((text for language, text in entries if language == "x-default"), entries[0][1] if entries else "")


def parse_packet(packet: bytes | str) -> Properties:
    """The properties of a packet as far as they can be read: none of one that is too long or no XML.

    A wrong declaration of the encoding, bytes of another encoding, undeclared prefixes, stray `&` and `<` and a missing
    end are tolerated.
    """
    return Properties(_tree(packet).properties())


def parse_elements(document: str) -> list[Node]:
    """The outermost elements of a document that is the text of a property."""
    return _tree(document).roots


def _tree(packet: bytes | str) -> _Tree:
    tree = _Tree()
    if not packet or len(packet) > MAX_PACKET_BYTES:
        return tree
    text = packet if isinstance(packet, str) else _decoded(packet)
    text = _NO_XML_CHARACTER.sub(" ", _DECLARATION.sub("", text))
    data = _REFERENCE.sub(_valid_reference, text).encode()
    start = data.find(b"<")
    for _ in range(_MAX_RESTARTS):
        error = _parse(data, start, tree)
        following = _PROPERTY_START.search(data, error) if error is not None else None
        if following is None:
            break
        start = following.start()
    return tree


def _decoded(packet: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if packet.startswith(bom)), None)
    encoding = encoding or {b"\0<": "utf-16-be", b"<\0": "utf-16-le"}.get(packet[:2])
    if encoding is not None:
        return packet.decode(encoding, "replace")
    text = packet.decode("utf-8-sig", "surrogateescape")
    return _BAD_BYTES.sub(lambda bad: bad[0].encode("utf-8", "surrogateescape").decode("cp1252", "replace"), text)


def _valid_reference(match: re.Match[str]) -> str:
    if match["name"]:
        return match[0]
    if not (match["decimal"] or match["hexadecimal"]):
        return "&amp;"
    code = int(match["decimal"]) if match["decimal"] else int(match["hexadecimal"], 16)
    return match[0] if code <= sys.maxunicode and not _NO_XML_CHARACTER.match(chr(code)) else " "


def _parse(data: bytes, start: int, tree: _Tree) -> int | None:
    """Read `data` from `start` into `tree`; where in `data` an error stopped it, None if there was none."""
    wrapper = _WRAPPER.encode()
    parser = DefusedXMLParser(target=tree, encoding="utf-8", forbid_dtd=True)
    tree.begin()
    try:
        parser.feed(wrapper + data[max(start, 0) :])
    except ParseError:
        error: int = parser.parser.ErrorByteIndex
        return max(start, 0) + max(error - len(wrapper), 0) + 1
    except (_TooMuch, DefusedXmlException):
        pass
    return None


class _TooMuch(Exception):
    """A packet has more elements than any program writes."""


class _Tree:
    """What the parser calls: builds nodes, none deeper than is believable."""

    def __init__(self) -> None:
        self._wrappers: list[Node] = []
        self._open: list[Node] = []
        self._named: dict[str, Node] = {}
        self._depth = self._count = 0

    def begin(self) -> None:
        """Start on another part of the packet."""
        self._open, self._depth = [], 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._count > _MAX_NODES:
            raise _TooMuch
        if self._depth > _MAX_DEPTH:
            return
        node = Node(_short(tag), {_short(name): value for name, value in attributes.items()})
        if _NODE_ID in attributes and node.name in _CONTAINERS:
            self._named[attributes[_NODE_ID]] = node
        (self._open[-1].children if self._open else self._wrappers).append(node)
        self._open.append(node)

    def end(self, tag: str) -> None:  # noqa: ARG002 - the parser's protocol
        if self._depth <= _MAX_DEPTH:
            self._open.pop()
        self._depth -= 1

    def data(self, text: str) -> None:
        if self._depth <= _MAX_DEPTH and self._open:
            self._open[-1].parts.append(text)

    def close(self) -> None:
        """The parser calls it at the end of a document."""

    @property
    def roots(self) -> list[Node]:
        """The outermost elements of the packet itself."""
        return [child for wrapper in self._wrappers for child in wrapper.children]

    def properties(self) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for node in (node for root in self._wrappers for node in _property_nodes(root)):
            if not node.children and (elsewhere := self._named.get(node.attributes.get("rdf:nodeID", ""))):
                node.children.append(elsewhere)  # F-Spot writes values apart from their properties
            if node.name not in found or not found[node.name].has_content:
                found[node.name] = node
        return found


def _property_nodes(root: Node) -> Iterator[Node]:
    """The properties of all rdf:Description under `root`, and those that lost theirs to damage."""
    if root.name not in _FRAMES:
        if root.name.partition(":")[0] in NAMESPACES:
            yield root
        return
    for name, value in root.attributes.items():
        yield Node(name, parts=[value])
    for child in root.children:
        if root.name == "rdf:Description":
            yield child
        else:
            yield from _property_nodes(child)


@lru_cache(maxsize=1024)
def _short(name: str) -> str:
    """`dc:title` for `{http://purl.org/dc/elements/1.1/}title`; as it is in a namespace that nothing is read from."""
    uri, _, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
    prefix = _PREFIXES.get(uri.rstrip("/#"))
    return f"{prefix}:{local}" if prefix else name
