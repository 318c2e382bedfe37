"""Bytes to text: marks at the start, then UTF-8, then a guess that is said aloud. What is no text is named and refused."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import Path

from charset_normalizer import from_bytes

from studio.data.readers.reading import refusal
from studio.errors import StudioError

MARKS = (  # the UTF-32 marks begin like those of UTF-16 and come first
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAGIC = (
    (b"PK\x03\x04", "an Excel workbook, a Word document or another ZIP archive"),
    (b"%PDF-", "a PDF document"),
    (b"PAR1", "a Parquet table"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or password-protected Office file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
    (b"7z\xbc\xaf", "a compressed file"),
    (b"Rar!", "a compressed file"),
    (b"SQLite format 3\x00", "a database"),
)
SAMPLE = 2**18  # bytes that the guess looks at: enough for any language, and quick
PIECE = 2**20  # bytes decoded at a time of a file that is too large for the memory
LOST = "\ufffd"
DAMAGED = "{count} damaged characters are shown as �."
GUESSED = "Its letters were read as {encoding}. If they look wrong, choose another encoding."
CONTROLS = bytes(code for code in range(32) if code not in (9, 10, 11, 12, 13, 26, 27))
WESTERN = {"cp1250", "cp1252", "cp1254", "cp1257", "latin_1", "iso8859_2", "iso8859_9", "iso8859_15", "mac_roman"}
CANDIDATES = ["cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "tis_620", "iso8859_2"]
CANDIDATES += ["cp932", "euc_jp", "cp949", "gb18030", "big5"]  # those that people meet; exotic ones win by chance on short texts
SHOWN = {
    "cp1252": "Western European (Windows-1252)",
    "cp932": "Japanese (Shift-JIS)",
    "euc_jp": "Japanese (EUC-JP)",
    "cp949": "Korean (CP949)",
    "gb18030": "Chinese (GBK)",
    "big5": "Chinese (Big5)",
}


def decode(data: bytes, name: str, encoding: str = "") -> tuple[str, str, list[str]]:
    """The text of a file, the encoding it was read in, and what to tell about it.

    Args:
        encoding: What the person chose; empty lets the file speak for itself.

    Raises:
        StudioError: the file is not text, or not in the chosen encoding.
    """
    if encoding:
        return chosen(data, name, encoding), encoding, []
    for mark, found in MARKS:
        if data.startswith(mark):
            return damaged(data, found)
    if wide := wide_encoding(data):
        return damaged(data, wide)
    refuse_binary(data, name)
    try:
        return data.decode("utf-8"), "utf-8", []
    except UnicodeDecodeError:
        return guessed(data)


def survey(path: Path, name: str, encoding: str = "") -> tuple[str, list[str]]:
    """The encoding that `decode` finds, and what it tells, for a file that is gone through in pieces.

    Damaged letters are to be replaced when it is read. Raises StudioError as `decode` does.
    """
    with open(path, "rb") as handle:
        data = handle.read(SAMPLE)
    if encoding:
        chosen(b"", name, encoding)
        if damage(path, encoding):
            raise unfitting(name, encoding, "It is not written that way.")
        return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding, []
    known = next((found for mark, found in MARKS if data.startswith(mark)), "") or wide_encoding(data)
    if not known:
        refuse_binary(data, name)
    broken = damage(path, known or "utf-8")
    if not broken or known:
        return known or "utf-8", [DAMAGED.format(count=broken)] if broken else []
    letters = sum(1 for char in data.decode("utf-8", "replace") if char > "\x7f" and char != LOST)
    if letters and broken <= max(1, letters // 20):
        return "utf-8", [DAMAGED.format(count=broken)]
    found = likeliest(data)
    return found, [GUESSED.format(encoding=SHOWN.get(found, found))]


def damage(path: Path, encoding: str) -> int:
    """How many damaged characters a file has in an encoding, those included that were written as such; 0 when it is whole."""
    strict, loose = (codecs.getincrementaldecoder(encoding)(errors) for errors in ("strict", "replace"))
    lost, whole = 0, True
    with open(path, "rb") as handle:
        while True:
            piece = handle.read(PIECE)
            lost += loose.decode(piece, not piece).count(LOST)
            if whole:
                try:
                    strict.decode(piece, not piece)
                except UnicodeError:
                    whole = False
            if not piece:
                return 0 if whole else lost


def chosen(data: bytes, name: str, encoding: str) -> str:
    """The text in the encoding that the person named."""
    try:
        text = data.decode("utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding)
    except (LookupError, ValueError, TypeError) as error:  # unknown, not fitting, or a codec that gives no text
        why = "It is not written that way." if isinstance(error, UnicodeError) else "There is no such encoding."
        raise unfitting(name, encoding, why) from error
    return text.removeprefix("\ufeff")


def unfitting(name: str, encoding: str, why: str) -> StudioError:
    """The error for a file that is not in the encoding that was chosen."""
    return refusal(name, f"It was to be read as “{encoding[:40]}”. {why}", "Choose another encoding, or none.")


def declared(data: bytes) -> str:
    """The encoding that a web page says it has, if it is written in it; empty otherwise."""
    found = re.search(rb"<meta[^<>]{0,200}?charset=[\"']?([\w-]{1,40})", data[:2048], re.IGNORECASE)
    try:
        encoding = codecs.lookup(found[1].decode("ascii")).name if found else ""
        data.decode(encoding) if encoding else None
    except (LookupError, ValueError, TypeError):
        return ""
    return "" if encoding == "utf-8" else encoding


def damaged(data: bytes, encoding: str) -> tuple[str, str, list[str]]:
    """Text in a known encoding; what is broken in it is replaced and said."""
    try:
        return data.decode(encoding), encoding, []
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
        return text, encoding, [DAMAGED.format(count=text.count(LOST))]


def wide_encoding(data: bytes) -> str:
    """UTF-16 without a mark: every second byte of Latin text is zero, and of other scripts those of spaces and line ends."""
    sample = data[: 2**12]
    if len(sample) < 8:
        return ""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) > 0.35 * len(sample) and min(even, odd) < 0.025 * len(sample):
        return "utf-16-le" if odd > even else "utf-16-be"
    if not even + odd or is_utf8(sample):
        return ""
    scores = {encoding: plain_signs(sample, encoding) for encoding in ("utf-16-le", "utf-16-be")}
    best = max(scores, key=lambda encoding: scores[encoding])
    return best if scores[best] > len(sample) / 400 else ""


def is_utf8(sample: bytes) -> bool:
    """Whether the beginning of a file is UTF-8, apart from a letter that is cut at its end and a few NUL signs."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    controls = len(sample) - len(sample.translate(None, CONTROLS)) - sample.count(0)
    return controls <= len(sample) // 100


def plain_signs(sample: bytes, encoding: str) -> int:
    """How many spaces, line ends, points and digits a text has in this encoding; 0 when it holds what no text has."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return 0
    if any(unicodedata.category(char) in {"Cc", "Cn", "Co"} and char not in "\t\n\r\f" for char in text):
        return 0
    return sum(char in " \t\n,;.?!0123456789" for char in text)


def refuse_binary(data: bytes, name: str) -> None:
    """Raise StudioError for what is no text, whatever the file is called."""
    for magic, kind in MAGIC:
        if data.startswith(magic):
            raise refusal(
                name,
                f"Its name says text, but it is {kind}.",
                "Save your examples as .csv, .xlsx or .jsonl and add that file.",
            )
    sample = data[:SAMPLE]
    if sample and len(sample) - len(sample.translate(None, CONTROLS)) > max(8, len(sample) // 100):
        raise refusal(name, "It holds bytes that no text has.", "Save your examples as .csv, .xlsx or .jsonl and add that file.")


def guessed(data: bytes) -> tuple[str, str, list[str]]:
    """Text that is not UTF-8: a little damaged UTF-8, or the most likely older encoding."""
    text = data.decode("utf-8", "replace")
    broken = text.count(LOST)
    letters = sum(1 for char in text[:SAMPLE] if char > "\x7f" and char != LOST)
    if broken <= max(1, letters // 20) and letters:
        return text, "utf-8", [DAMAGED.format(count=broken)]
    encoding = likeliest(data[:SAMPLE])
    return data.decode(encoding, "replace"), encoding, [GUESSED.format(encoding=SHOWN.get(encoding, encoding))]


def likeliest(sample: bytes) -> str:
    """The older encoding that a text is most likely in."""
    if found := east_asian(sample):
        return found
    best = from_bytes(sample, cp_isolation=CANDIDATES).best()
    # short Western texts fit several old encodings alike; Windows-1252 is by far the most common of them
    return "cp1252" if best is None or best.encoding in WESTERN else best.encoding


def east_asian(sample: bytes) -> str:
    """The East Asian encoding in which most letters are everyday ones; empty when there is none.

    A general guess mistakes short texts for one another here, since nearly any pair of bytes is a letter in each of these.
    """
    for encoding, everyday, share in EAST_ASIAN:
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(sample)
        except UnicodeDecodeError:
            continue
        letters = [char for char in text if char > "\x7f" and char.isalpha()]
        if letters and sum(map(everyday, letters)) >= share * len(letters):
            return encoding
    return ""


def is_kana(char: str) -> bool:
    """Whether a letter is Japanese hiragana or katakana."""
    return "\u3040" <= char <= "\u30ff"


def is_hangul(char: str) -> bool:
    """Whether a letter is a Korean syllable."""
    return "\uac00" <= char <= "\ud7a3"


def is_simplified(char: str) -> bool:
    """Whether a letter is one of the 3,755 common ones of GB 2312, its first level: rows 16 to 55."""
    code = char.encode("gb18030")
    return len(code) == 2 and 0xB0 <= code[0] <= 0xD7 and code[1] >= 0xA1


def is_traditional(char: str) -> bool:
    """Whether a letter is one of the 5,401 common ones of Big5, its first level: A4 to C6."""
    code = char.encode("big5", "ignore")
    return len(code) == 2 and 0xA4 <= code[0] <= 0xC6


EAST_ASIAN = (
    ("cp932", is_kana, 0.2),  # Japanese mixes kana with Chinese letters, nearly half and half
    ("euc_jp", is_kana, 0.2),
    ("cp949", is_hangul, 0.9),
    ("gb18030", is_simplified, 0.8),
    ("big5", is_traditional, 0.8),
)
