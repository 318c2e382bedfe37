"""Small PDFs and Word documents for the tests of the readers, written by hand where no library here writes them."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

Text = tuple[float, float, float, str]  # left, bottom and height in points, and what is written there

PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")  # ISO 32000-1, algorithm 2


def pdf(path: Path, pages: Iterable[Iterable[Text]], *, contents: Iterable[tuple[str, int]] = (), password: str = "") -> Path:
    """A PDF with the given texts; `contents` has titles and page indices; with a password it is encrypted (RC4, 40 bit)."""
    pages = [list(page) for page in pages]
    first = 4
    kids = " ".join(f"{first + 2 * index} 0 R" for index in range(len(pages)))
    objects = {
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    }
    streams = {}
    for index, page in enumerate(pages):
        number = first + 2 * index
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F 3 0 R >> >> "
            f"/Contents {number + 1} 0 R >>"
        ).encode()
        shown = [f"BT /F {size} Tf {x} {y} Td ({escaped(text)}) Tj ET" for x, y, size, text in page]
        streams[number + 1] = "\n".join(shown or ["0 0 100 100 re f"]).encode("cp1252")
    contents, outline = list(contents), first + 2 * len(pages)
    for index, (title, page) in enumerate(contents):
        link = f" /Next {outline + index + 2} 0 R" if index + 1 < len(contents) else ""
        link += f" /Prev {outline + index} 0 R" if index else ""
        objects[outline + index + 1] = (
            f"<< /Title ({escaped(title)}) /Parent {outline} 0 R /Dest [{first + 2 * page} 0 R /Fit]{link} >>".encode("cp1252")
        )
    marks = ""
    if contents:
        last = outline + len(contents)
        objects[outline] = f"<< /Type /Outlines /First {outline + 1} 0 R /Last {last} 0 R /Count {len(contents)} >>".encode()
        marks = f" /Outlines {outline} 0 R"
    objects[1] = f"<< /Type /Catalog /Pages 2 0 R{marks} >>".encode()
    trailer = b""
    if password:
        key, trailer = protection(password)
        streams = {number: rc4(object_key(key, number), data) for number, data in streams.items()}
    objects |= {
        number: f"<< /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream" for number, data in streams.items()
    }
    return put_together(path, objects, trailer)


def put_together(path: Path, objects: dict[int, bytes], trailer: bytes) -> Path:
    """Write numbered objects with their table of places."""
    out = bytearray(b"%PDF-1.4\n")
    places = {}
    for number in sorted(objects):
        places[number] = len(out)
        out += b"%d 0 obj\n" % number + objects[number] + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % places[number] for number in sorted(objects))
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    path.write_bytes(bytes(out))
    return path


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def protection(password: str) -> tuple[bytes, bytes]:
    """The key and the trailer's entries of the standard security handler, revision 2 (ISO 32000-1, 7.6.3)."""
    padded = (password.encode() + PADDING)[:32]
    owner = rc4(hashlib.md5(padded, usedforsecurity=False).digest()[:5], padded)
    identity = b"0123456789abcdef"
    permissions = (0xFFFFFFFC).to_bytes(4, "little")
    key = hashlib.md5(padded + owner + permissions + identity, usedforsecurity=False).digest()[:5]
    user = rc4(key, PADDING)
    entries = b"/Encrypt << /Filter /Standard /V 1 /R 2 /Length 40 /P -4 /O <%s> /U <%s> >> /ID [<%s> <%s>]"
    return key, entries % (owner.hex().encode(), user.hex().encode(), identity.hex().encode(), identity.hex().encode())


def object_key(key: bytes, number: int) -> bytes:
    return hashlib.md5(key + number.to_bytes(3, "little") + b"\x00\x00", usedforsecurity=False).digest()[:10]


def rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    place = 0
    for index in range(256):
        place = (place + state[index] + key[index % len(key)]) % 256
        state[index], state[place] = state[place], state[index]
    out, index, place = bytearray(), 0, 0
    for byte in data:
        index = (index + 1) % 256
        place = (place + state[index]) % 256
        state[index], state[place] = state[place], state[index]
        out.append(byte ^ state[(state[index] + state[place]) % 256])
    return bytes(out)


def with_member(path: Path, source: Path, name: str, content: bytes) -> Path:
    """A copy of an Office file in which one member has another content."""
    with zipfile.ZipFile(source) as package, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as copy:
        for item in package.infolist():
            copy.writestr(item.filename, content if item.filename == name else package.read(item))
        if name not in package.namelist():
            copy.writestr(name, content)
    return path
