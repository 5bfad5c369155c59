"""Adds keywords to XMP files of other programs, which stay as they are in every other byte.

A file is parsed only to find the places: the text is inserted there, so that vocabularies, attributes, comments, the
order and the packet's wrapper survive whatever they are. What is not understood is refused, never rewritten.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from core.errors import SidecarError
from core.ingest.metadata.hierarchies import SEPARATOR
from core.ingest.metadata.xmp_packet import MAX_PACKET_BYTES, NAMESPACES
from core.text import folded

_MAX_ELEMENTS = 200_000
_RDF = NAMESPACES["rdf"] + "#"
_CONTAINERS = tuple(f"{{{_RDF}}}{kind}" for kind in ("Bag", "Seq", "Alt"))
# The separators of a hierarchy by the properties that hold them: those of other programs are kept up where they exist.
_SEPARATORS = {"lr:hierarchicalSubject": SEPARATOR, "digiKam:TagsList": "/", "MicrosoftPhoto:LastKeywordXMP": "/"}
_ALWAYS_WRITTEN = ("dc:subject", "lr:hierarchicalSubject")
_START_TAG = re.compile(rb"""<([^\s/>]+)(?:"[^"]*"|'[^']*'|[^>"'])*>""")
_BLANKS = re.compile(rb"\s*\Z")
_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]*\bencoding\s*=\s*["']([^"']*)["']""")
_NO_CHARACTER = re.compile("[\ufffe\uffff]")
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    f' <rdf:RDF xmlns:rdf="{_RDF}">\n  <rdf:Description rdf:about=""/>\n </rdf:RDF>\n</x:xmpmeta>\n'
    '<?xpacket end="w"?>\n'
).encode()


@dataclass(frozen=True)
class EditedXmp:
    """An XMP file with keywords added, and those that it did not have: flat ones and hierarchies."""

    content: bytes
    added: tuple[str, ...]


def keywords_in(content: bytes) -> tuple[str, ...]:
    """The flat keywords of an XMP file. Raises SidecarError as `with_keywords` does."""
    return tuple(_Document.parse(_utf8(content)[0]).entries("dc:subject"))


def with_keywords(content: bytes | None, keywords: Sequence[str], hierarchies: Sequence[str]) -> EditedXmp:
    """An XMP file with these keywords among its own; a new one for None. Nothing that is there is removed.

    Keywords go to dc:subject, hierarchies (`Clusters|Harbour`) to lr:hierarchicalSubject and to the properties of
    digiKam and Windows that the file has. Raises SidecarError for what is not XMP that can be edited safely.
    """
    data, encoding = _utf8(_EMPTY if content is None else content)
    document = _Document.parse(data)
    wanted = {name: _joined(hierarchies, separator) for name, separator in _SEPARATORS.items()}
    wanted = {"dc:subject": list(keywords), **wanted}
    missing = {
        name: _missing(values, document.entries(name))
        for name, values in wanted.items()
        if name in _ALWAYS_WRITTEN or document.property(name) is not None
    }
    edited = document.extended(missing)
    _verify(edited, missing)
    added = (*missing["dc:subject"], *missing["lr:hierarchicalSubject"])
    if content is not None and not any(missing.values()):
        return EditedXmp(content, ())
    return EditedXmp(edited.decode().encode(encoding) if encoding else edited, added)


def _utf8(content: bytes) -> tuple[bytes, str]:
    """A file as UTF-8, and the encoding that it is in; empty for UTF-8."""
    if len(content) > MAX_PACKET_BYTES:
        raise SidecarError(f"it is larger than {MAX_PACKET_BYTES // 2**20} MiB")
    for bom, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(bom):
            try:
                return content.decode(encoding).encode(), encoding
            except UnicodeError as error:
                raise SidecarError("it is damaged: not all of it is UTF-16") from error
    declared = _ENCODING.search(content.removeprefix(codecs.BOM_UTF8))
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii"):
        raise SidecarError(f"it is written in {declared[1].decode('ascii', 'replace')}, not in UTF-8")
    return content, ""


def _joined(hierarchies: Sequence[str], separator: str) -> list[str]:
    """Paths with another separator; in a word it becomes a hyphen."""
    return [separator.join(word.replace(separator, "-") for word in path.split(SEPARATOR)) for path in hierarchies]


def _missing(values: Sequence[str], known: Sequence[str]) -> list[str]:
    seen = {folded(text.strip()) for text in known}
    found = []
    for value in values:
        text = _NO_CHARACTER.sub("", value)
        if text and (key := folded(text.strip())) not in seen:
            seen.add(key)
            found.append(text)
    return found


def _verify(edited: bytes, added: Mapping[str, Sequence[str]]) -> None:
    document = _Document.parse(edited)
    for name, values in added.items():
        if _missing(values, document.entries(name)):
            raise SidecarError(f"{name} is written in a way that is not understood")


# -- the document -------------------------------------------------------------------------------------------------


@dataclass
class _Element:
    """An element and where it is: its start tag, the first byte after that, its end tag and the first byte after it."""

    name: str
    attributes: Mapping[str, str]
    start: int
    content: int
    end: int = 0
    after: int = 0
    children: list[_Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def self_closed(self) -> bool:
        return self.after == self.content

    def text(self) -> str:
        """Its text and that of all that is in it."""
        return "".join(self.parts).strip()

    def all(self, name: str) -> list[_Element]:
        return [child for child in self.children if child.name == name]


class _Document:
    def __init__(self, data: bytes, rdf: _Element) -> None:
        self._data, self._rdf = data, rdf
        self._descriptions = rdf.all(f"{{{_RDF}}}Description")

    @classmethod
    def parse(cls, data: bytes) -> _Document:
        """Raises SidecarError unless it is well-formed and holds one rdf:RDF."""
        tree = _Tree(data)
        try:
            tree.parse()
        except ParseError as error:
            raise SidecarError(f"it is damaged: {error}") from error
        except DefusedXmlException as error:
            raise SidecarError("it has a document type, which no XMP has") from error
        if len(tree.rdf) != 1:
            raise SidecarError("it holds no XMP" if not tree.rdf else "it holds more than one XMP packet")
        return cls(data, tree.rdf[0])

    def property(self, name: str) -> _Element | None:
        """The first property of this name. Raises SidecarError if it stands in an attribute: a list cannot."""
        full = _full(name)
        if any(full in description.attributes for description in self._descriptions):
            raise SidecarError(f"{name} is an attribute, where a list belongs")
        return next((found for each in self._descriptions for found in each.all(full)), None)

    def entries(self, name: str) -> list[str]:
        found = self.property(name)
        containers = [child for child in found.children if child.name in _CONTAINERS] if found else []
        return [entry.text() for container in containers for entry in container.children]

    def extended(self, added: Mapping[str, Sequence[str]]) -> bytes:
        """The file with entries added to properties; those that it does not have are made."""
        splices, new = list[_Splice](), list[bytes]()
        for name, values in added.items():
            found = self.property(name)
            if values and found is None:
                new.append(self._new_property(name, values))
            elif values and found is not None:
                splices.append(self._added_to(name, found, values))
        if new:
            splices.append(self._with_properties(new))
        data = self._data
        for splice in sorted(splices, key=lambda splice: splice.start, reverse=True):
            data = data[: splice.start] + splice.text + data[splice.end :]
        return data

    def _added_to(self, name: str, found: _Element, values: Sequence[str]) -> _Splice:
        containers = [child for child in found.children if child.name in _CONTAINERS]
        if len(containers) == 1:
            return self._inside(containers[0], [self._entry(containers[0], value) for value in values])
        if found.children or found.text() or found.attributes:
            raise SidecarError(f"{name} is written in a way that is not understood")
        return self._inside(found, [self._bag(values)])

    def _with_properties(self, properties: Sequence[bytes]) -> _Splice:
        if self._descriptions:
            return self._inside(self._descriptions[0], properties)
        name = self._rdf_name("Description")
        about = self._rdf_name("about").decode()
        declared = f'xmlns:rdf="{_RDF}" rdf:about=""' if ":" not in about else f'{about}=""'
        return self._inside(self._rdf, [b"<%s %s>%s</%s>" % (name, declared.encode(), b"".join(properties), name)])

    def _inside(self, element: _Element, children: Sequence[bytes]) -> _Splice:
        """Children at the end of an element, each on a line of its own where the file has lines."""
        if element.self_closed:
            indent = self._indent(element.start)
            tag = self._data[element.start : element.content]
            opened = tag.removesuffix(b"/>").rstrip() + b">"
            lines = b"".join(indent + (b" " if indent else b"") + child for child in children)
            closing = b"</%s>" % self._tag_name(element)
            return _Splice(element.start, element.after, opened + lines + indent + closing)
        indent = self._indent(element.end)
        return _Splice(
            element.end, element.end, b"".join((b" " if indent else b"") + child + indent for child in children)
        )

    def _indent(self, position: int) -> bytes:
        """The line break and the blanks before a tag; empty if the file is one line."""
        line_start = self._data.rfind(b"\n", 0, position)
        between = self._data[line_start:position] if line_start >= 0 else b"x"
        return between if not between.strip() else b""

    def _new_property(self, name: str, values: Sequence[str]) -> bytes:
        prefix, _, local = name.partition(":")
        uri = _full(name)[1:].partition("}")[0]
        tag = f"{prefix}:{local}"
        return f'<{tag} xmlns:{prefix}="{uri}">'.encode() + self._bag(values) + f"</{tag}>".encode()

    def _bag(self, values: Sequence[str]) -> bytes:
        entry, bag = self._rdf_name("li"), self._rdf_name("Bag")
        entries = b"".join(b"<%s>%s</%s>" % (entry, escape(value, quote=False).encode(), entry) for value in values)
        return b"<%s>%s</%s>" % (bag, entries, bag)

    def _entry(self, container: _Element, value: str) -> bytes:
        name = _renamed(self._tag_name(container), "li")
        return b"<%s>%s</%s>" % (name, escape(value, quote=False).encode(), name)

    def _rdf_name(self, local: str) -> bytes:
        return _renamed(self._tag_name(self._rdf), local)

    def _tag_name(self, element: _Element) -> bytes:
        found = _START_TAG.match(self._data, element.start)
        return found[1] if found else b""


@dataclass(frozen=True)
class _Splice:
    start: int
    end: int
    text: bytes


def _renamed(tag_name: bytes, local: str) -> bytes:
    """Another name with the prefix of a tag."""
    prefix, colon, _ = tag_name.rpartition(b":")
    return prefix + colon + local.encode()


def _full(name: str) -> str:
    """`{http://purl.org/dc/elements/1.1/}subject` for `dc:subject`."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}/}}{local}"


class _Tree:
    """What the parser calls: builds the elements below rdf:RDF, with their places."""

    def __init__(self, data: bytes) -> None:
        self._data, self.rdf = data, list[_Element]()
        self._open, self._count = list[_Element](), 0
        self._parser = DefusedXMLParser(target=self, encoding="utf-8", forbid_dtd=True)

    def parse(self) -> None:
        self._parser.feed(self._data)
        self._parser.close()

    @property
    def _position(self) -> int:
        at: int = self._parser.parser.CurrentByteIndex
        return at

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        found = _START_TAG.match(self._data, self._position)
        if self._count > _MAX_ELEMENTS or found is None:
            raise SidecarError(f"it has more than {_MAX_ELEMENTS:,} elements")
        element = _Element(tag, attributes, found.start(), found.end())
        if self._open:
            self._open[-1].children.append(element)
        elif tag == f"{{{_RDF}}}RDF":
            self.rdf.append(element)
        if self._open or tag == f"{{{_RDF}}}RDF":
            self._open.append(element)

    def end(self, tag: str) -> None:  # noqa: ARG002 - the parser's protocol
        if not self._open:
            return
        element = self._open.pop()
        if self._data[element.content - 2 : element.content] == b"/>":
            element.end = element.after = element.content
        else:
            element.end = self._position
            element.after = self._data.index(b">", element.end) + 1

    def data(self, text: str) -> None:
        for element in self._open[-3:]:  # an entry may have its text in an element of its own
            element.parts.append(text)

    def close(self) -> None:
        """The parser calls it at the end of the document."""
