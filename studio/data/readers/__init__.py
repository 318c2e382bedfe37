"""One module for each kind of file. Each gives a `Reading`; `studio/data/read.py` chooses among them.

reading    what a reader gives, the limits, and what tables of all kinds share (headers, widths)
encoding   bytes to text, and what is not text at all
delimited  CSV and TSV · records  JSON and JSON lines · prose  plain text
workbook   Excel · columnar  Parquet · documents  Word, PDF (whose lines `pages` makes paragraphs of), Markdown and HTML
archive    ZIP · union  several files as one reading

What is compressed or binary is parsed in a child process (guarded, worker/), since its memory and time cannot be bounded here.
"""
