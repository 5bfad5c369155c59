"""Pictures with metadata made by hand: every byte as a test wants it."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, PngImagePlugin

_DECLARED = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "acdsee": "http://ns.acdsee.com/iptc/1.0/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
}
_NAMESPACES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _DECLARED.items())


def packet(properties: str = "", attributes: str = "") -> bytes:
    """An XMP packet with these properties, as elements and as attributes of its rdf:Description."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {_NAMESPACES} {attributes}>{properties}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def alternatives(name: str, **texts: str) -> str:
    """A text in several languages, in this order; `x_default` is the default."""
    entries = "".join(f'<rdf:li xml:lang="{k.replace("_", "-")}">{text}</rdf:li>' for k, text in texts.items())
    return f"<{name}><rdf:Alt>{entries}</rdf:Alt></{name}>"


def bag(name: str, *words: str) -> str:
    return f"<{name}><rdf:Bag>{''.join(f'<rdf:li>{word}</rdf:li>' for word in words)}</rdf:Bag></{name}>"


def iptc(*datasets: tuple[int, bytes], record: int = 2) -> bytes:
    """An IPTC block: datasets of a record, each with its number."""
    return b"".join(b"\x1c" + bytes([record, tag]) + len(text).to_bytes(2, "big") + text for tag, text in datasets)


UTF_8 = iptc((90, b"\x1b%G"), record=1)


def resource(number: int, data: bytes) -> bytes:
    """An image resource of Photoshop: 0x0404 is the IPTC block, 0x0425 its digest."""
    return b"8BIM" + number.to_bytes(2, "big") + b"\0\0" + len(data).to_bytes(4, "big") + data + b"\0" * (len(data) % 2)


def segment(marker: int, data: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + (len(data) + 2).to_bytes(2, "big") + data


def jpeg(
    *,
    exif: Image.Exif | bytes | None = None,
    xmp: bytes = b"",
    resources: bytes = b"",
    segments: Sequence[bytes] = (),
    **more: object,
) -> bytes:
    buffer = io.BytesIO()
    options = {} if exif is None else {"exif": exif}
    Image.new("RGB", (8, 8), (200, 30, 30)).save(buffer, "JPEG", **options, **more)
    raw = buffer.getvalue()
    added = [segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp)] if xmp else []
    added += [segment(0xED, b"Photoshop 3.0\0" + resources)] if resources else []
    # before the segments, since their order makes no difference
    return raw[:2] + b"".join([*added, *segments]) + raw[2:]


def png(**texts: str) -> bytes:
    """A PNG with these texts; `Creation_Time` is `Creation Time`."""
    chunks = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        chunks.add_itxt(key.replace("_", " "), text)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))
