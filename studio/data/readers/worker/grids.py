"""Excel and Parquet tables.

Lines: {"sheets": [names]} or {"columns": [names], "rows": number} first, then {"sheet": index, "rows": [[number, [cells]], ...]},
{"sheet": index, "merged": [[first row, last row, index of the cell], ...]} for cells merged over several rows,
or {"broken": name}.
"""

from __future__ import annotations

import datetime
from typing import Any

from output import BATCH, fail, say, say_many


def cell_text(value: Any) -> str:
    """A sheet's cell as people see it: whole numbers without a point, dates as 2020-03-17."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    return str(value)


def read_workbook(path: str, max_rows: int, max_columns: int, max_values: int) -> None:
    """Print every sheet of a workbook."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError  # noqa: PLC0415

    try:
        book = CalamineWorkbook.from_path(path)
        names = list(book.sheet_names)
    except PasswordError:
        fail("password")
    say({"sheets": names})
    values = 0
    for index, name in enumerate(names):
        try:
            sheet = book.get_sheet_by_name(name)
        except CalamineError:
            say({"broken": name})  # a chart, or a damaged sheet beside good ones
            continue
        if sheet.start is None:
            continue
        values += sheet.height * sheet.width
        if sheet.height > max_rows + 100:
            fail("rows", sheet.height)
        if sheet.width > max_columns:
            fail("columns", sheet.width)
        if values > max_values:
            fail("values", values)
        numbered = enumerate(sheet.iter_rows(), start=1)  # from row 1 of the sheet, also where that is empty
        filled = ((number, row) for number, row in numbered if any(cell != "" for cell in row))
        say_many({"sheet": index}, "rows", ((number, [cell_text(cell) for cell in row]) for number, row in filled))
        ranges = sheet.merged_cell_ranges or ()
        merged = ((top + 1, end + 1, left - sheet.start[1]) for (top, left), (end, _) in ranges if end > top)
        say_many({"sheet": index}, "merged", merged)


def read_table(path: str, max_rows: int, max_columns: int, max_values: int, max_unpacked: int) -> None:
    """Print a Parquet file, after its declared sizes were found to be within the limits."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    pa.set_memory_pool(pa.system_memory_pool())
    with pq.ParquetFile(path, thrift_string_size_limit=2**24, thrift_container_size_limit=2**20) as file:
        about = file.metadata
        if about.num_rows > max_rows:
            fail("rows", about.num_rows)
        if about.num_columns > max_columns:
            fail("columns", about.num_columns)
        chunks = [
            about.row_group(group).column(column) for group in range(about.num_row_groups) for column in range(about.num_columns)
        ]
        if (unpacked := sum(chunk.total_uncompressed_size for chunk in chunks)) > max_unpacked:
            fail("unpacked", unpacked)
        if (values := sum(chunk.num_values for chunk in chunks)) > max_values:
            fail("values", values)
        # repeated values are stored once, so that only decoding shows their real size
        real = 0
        for batch in file.iter_batches(batch_size=BATCH // 4, use_threads=False):
            real += sum(map(real_size, batch.columns))
            if real > max_unpacked:
                fail("unpacked", real)
        say({"columns": list(file.schema_arrow.names), "rows": about.num_rows})
        number = 1
        for batch in file.iter_batches(batch_size=BATCH, use_threads=False):
            rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            say_many({"sheet": 0}, "rows", enumerate(rows, start=number))
            number += batch.num_rows


def real_size(array: Any) -> int:
    """Bytes of an array with repeated values counted as often as they come."""
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_dictionary(array.type):
        return array.dictionary_decode().nbytes
    if pa.types.is_struct(array.type):
        return sum(map(real_size, array.flatten()))
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return 8 * len(array) + real_size(array.flatten())
    return array.nbytes
