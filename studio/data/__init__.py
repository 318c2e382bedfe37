"""From a file to tokens: read -> detect -> convert -> split -> encode.

    read      any supported file, several or pasted text as rows, with what was left out and why (`readers/` has the kinds,
              `shapes/` makes nested rows flat, `exports/` reads exported chats)
    passages  documents cut at headings and paragraphs
    detect    which column is the question and which the answer, with a reason and how sure it is
    convert   rows to examples; every row that becomes none is left out with a reason (`chats`, `dialogues` and `tools` make
              turns, `templates` takes texts apart that a chat template wrote)
    split     which examples are kept aside
    encode    examples and chats to tokens, for training, chat and preview alike (`render` writes the text, `markers` knows
              the signs of chat templates)
    checks    what is wrong with the examples, as findings with remedies (`checks/` has one module a check)
    privacy   personal data and secrets in examples, and stand-ins for both
    learning  lengths, labels, and how many rows a goal needs

Between convert and split, people change rows: `edits` is the log of it and gives the rows after it, `written` checks what was
written by hand, `differ` shows a change word by word, `table` gives a page of rows, `write` makes files to download
(`formulas` keeps their cells from being run).

To add a kind of file: write `readers/<kind>.py` with one function that takes the text or the path and the name to show and
returns a `Reading` (limits and headers are in `readers/reading.py`; a parser of compressed or binary files belongs into
`readers/worker/`), name its suffix in `read.SUFFIXES`, call it in `read.read`, and give it a row in
`tests/data/test_read.py` (a good file) and `test_read_bad.py` (empty, cut short, something else).

To add a way to write examples: give it a `Format` in `formats.FORMATS` with the roles its columns play, recognise it in
`detect.by_names` or `detect.by_chats` (new wordings of column names go into `names.NAMES`), and make its examples in
`convert.MAKERS`. Nothing else has to change: the form, the checks and the tests read these tables.

To add a nested shape or a kind of exported chat: see `shapes/__init__.py` and `exports/__init__.py`.
"""
