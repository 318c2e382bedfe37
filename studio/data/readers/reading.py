"""What a reader gives, the limits it keeps, and what all tables share: headers, widths, names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.data.names import is_known
from studio.errors import StudioError
from studio.records import LeftOut

MAX_FILE = 200 * 2**20  # bytes of a file that is read as a whole
MAX_STREAMED = 2 * 2**30  # bytes of a file whose rows go to the disk one by one
MAX_ROWS = 1_000_000
MAX_COLUMNS = 1000
MAX_UNPACKED = 2**30  # bytes a compressed file may unfold to; the memory they need here is about twice that
MAX_VALUES = 20_000_000  # cells or JSON values; at some 60 bytes each they fill about 1.2 GB
HEADER_SEARCH = 30  # rows looked through for a header below a title
FOOTER_SEARCH = 10  # rows at the end looked through for notes below the table
DOCUMENTS = frozenset({"text", "markdown", "html", "docx", "pdf"})
DOCUMENT_COLUMNS = ("text", "heading")
LONGEST_NAME = 60  # characters; a longer cell is content, not a column name

Cells = list[str]


@dataclass(frozen=True)
class Reading:
    """The rows of a file as they are, before anybody decides what they mean.

    `row_numbers` counts as a person would in the file: from 1, the header is 1; in documents it is the page, paragraph or line
    that a passage begins at. `notes` are sentences to show. Of several files, `files` has the names of those that were read,
    `row_files` the index of each row's file among them, and `unused` the others, each with the reason. `me` is the speaker in
    an exported chat that is the file's owner or the assistant; empty where nothing says so. The rows, and those left out, of a
    large file lie on the disk (`spill.py`).
    """

    kind: str
    columns: tuple[str, ...]
    rows: Sequence[dict[str, Any]]
    row_numbers: Sequence[int]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    header: bool = True
    left_out: Sequence[LeftOut] = ()
    notes: tuple[str, ...] = ()
    me: str = ""
    files: tuple[str, ...] = ()
    row_files: Sequence[int] = ()
    unused: tuple[tuple[str, str], ...] = ()

    @property
    def is_document(self) -> bool:
        """Whether the rows are passages of a document rather than those of a table."""
        return self.kind in DOCUMENTS and self.columns == DOCUMENT_COLUMNS

    def file_of(self, index: int) -> str:
        """The file that the row at a position comes from; empty when there is one file only."""
        return self.files[self.row_files[index]] if self.files else ""

    def summary(self) -> dict[str, Any]:
        """What `dataset.json` keeps of the reading."""
        return {
            "kind": self.kind,
            "columns": list(self.columns),
            "rows": len(self.rows),
            "left_out": len(self.left_out),
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "sheet": self.sheet,
            "sheets": list(self.sheets),
            "header": self.header,
            "notes": list(self.notes),
            "files": list(self.files),
            "unused": [list(item) for item in self.unused],
        }


def refusal(name: str, why: str, fix: str) -> StudioError:
    """The error for a file that cannot be used."""
    return StudioError(f"{name} could not be read.", why, fix)


def check_counts(name: str, rows: int, columns: int) -> None:
    """Raise StudioError when there are more rows or columns than the limits allow."""
    if rows > MAX_ROWS:
        raise refusal(name, f"It has more than {MAX_ROWS:,} rows.", "Split it into smaller files and use one of them.")
    if columns > MAX_COLUMNS:
        raise refusal(
            name,
            f"It has {columns:,} columns, and {MAX_COLUMNS:,} is the most.",
            "Keep only the columns with your questions and answers.",
        )


def column_names(header: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """Unique, non-empty names; what had to be changed is said in `notes`."""
    names: list[str] = []
    taken: set[str] = set()
    twice: list[str] = []
    for index, cell in enumerate(header):
        plain = str(cell).encode("utf-8", "replace").decode("utf-8")  # half of a surrogate pair cannot be written
        name = " ".join(plain.split())[:200] or f"column {index + 1}"
        if name in taken:
            twice.append(name)
            name = next(other for count in range(2, len(header) + 2) if (other := f"{name} ({count})") not in taken)
        taken.add(name)
        names.append(name)
    if twice:
        shown = ", ".join(dict.fromkeys(twice[:5]))
        notes.append(f"Some columns have the same name ({shown}); the later ones got a number.")
    return tuple(names)


def looks_like_header(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns rather than being an example itself.

    Args:
        first: The cells of the first row.
        body: Some of the rows below it.
    """
    filled = [cell.strip() for cell in first if cell.strip()]
    if not filled or any(len(cell) > LONGEST_NAME or is_number(cell) for cell in filled):
        return False
    if sum(map(is_known, filled)) >= min(2, len(filled)):
        return True
    if len(set(filled)) < len(filled):
        return False
    if any(cell.endswith((".", "?", "!", "。", "？")) for cell in filled) or not body:
        return bool(not body and len(filled) == len(first))
    signs = 0
    for index, cell in enumerate(first):
        below = [row[index].strip() for row in body if index < len(row) and row[index].strip()]
        if not below or not cell.strip():
            continue
        if cell.strip() in below:
            return False
        numbers = sum(map(is_number, below)) > len(below) / 2
        longer = sum(map(len, below)) / len(below) >= 2 * len(cell.strip())
        signs += numbers or longer or is_known(cell)
    return signs > 0 or all(cell.replace("_", "").isalnum() and " " not in cell for cell in filled)


def find_header(rows: Sequence[Cells]) -> int:
    """Index of the row that names the columns of a sheet, which may stand below a title and notes; -1 when none does."""
    counts = [sum(1 for cell in row if cell.strip()) for row in rows]
    usual = Counter(count for count in counts if count > 1).most_common(1)
    width = usual[0][0] if usual else 1
    for index, row in enumerate(rows[:HEADER_SEARCH]):
        if counts[index] >= 2 and sum(is_known(cell) for cell in row if cell.strip()) >= 2:
            return index
        if counts[index] >= width:
            return index if looks_like_header(row, rows[index + 1 : index + 200]) else -1
    return -1


def title_rows(rows: Sequence[Cells]) -> int:
    """How many rows stand above the header of a table without gaps: titles and notes that fill few of the usual cells.

    0 unless a row below them names columns.
    """
    counts = [sum(1 for cell in row if cell.strip()) for row in rows]
    usual = Counter(counts).most_common(1)[0][0] if counts else 0
    titles = next((index for index, count in enumerate(counts[:HEADER_SEARCH]) if 2 * count > usual), 0)
    return titles if 0 < titles < len(rows) - 1 and usual > 1 and looks_like_header(rows[titles], rows[titles + 1 :]) else 0


def without_footer(body: list[tuple[int, Cells]], usual: int | None = None) -> tuple[list[tuple[int, Cells]], list[LeftOut]]:
    """The rows of a table, and what stands below it: rows with far fewer cells than usual, below a gap or in a wide table.

    Args:
        usual: How many cells most rows fill; counted when None. With it, the last FOOTER_SEARCH + 1 rows suffice for `body`.
    """
    counts = [filled_cells(cells) for _, cells in body]
    if usual is None:
        usual = Counter(counts).most_common(1)[0][0] if counts else 0
    end = start = len(body)
    while start > max(1, len(body) - FOOTER_SEARCH) and 2 * counts[start - 1] <= usual:
        start -= 1
        gap = body[start][0] > body[start - 1][0] + 1
        if gap or (usual >= 4 and 3 * counts[start] <= usual):
            end = start
    reason = "It stands below the table and fills few of its columns."
    below = [LeftOut(number, reason, " ".join(" ".join(filter(None, cells))[:80].split())) for number, cells in body[end:]]
    return body[:end], below


def filled_cells(cells: Cells) -> int:
    """How many cells of a row say anything."""
    return sum(1 for cell in cells if cell.strip())


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, with a point or a comma, a sign or a per cent sign."""
    plain = cell.strip().rstrip("%").replace(",", ".").lstrip("+-")
    return bool(plain) and plain.replace(".", "").isdigit()
