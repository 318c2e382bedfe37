"""The words of the Data tab's cards about rows. Plain, short, no blame."""

from __future__ import annotations

FINDINGS_TITLE = "Worth a look"
FINDINGS_NOTE = "Nothing is changed until you press a button."
NOTHING_FOUND_NOTE = "Checked for repeats, gaps, private details and more."
NOTHING_FOUND = "Nothing was found that needs you."
LOOKING = "Looking through the rows."
SHOW_ROWS = "Show the rows"
SAVED_SET = "This set is saved and never changes. Press “Change this data” to mend rows in a copy."
UNDO, REDO = "Undo", "Redo"
CANCEL = "Cancel"

TABLE_TITLE = "Every row"
SEARCH = "Find rows with these words"
SORT = "In the order of"
SORTS = [
    ("The file", ""),
    ("Longest question first", "question"),
    ("Longest answer first", "answer"),
    ("Category", "label"),
]
ALL_ROWS = "Show all rows"
ONLY = "Only the rows of: {title}"
NO_ROWS = "There is no such row."
ROWS_BACK, ROWS_ON = "Rows before", "More rows"
ADD_ROW = "Add a row"
KEEP_ROW = "Keep this row"
TAKE_OUT = "Take out"
TOOK_OUT = "Took a row out"
PLAIN_TEXT = "Text"
TOO_LONG_HERE = "Too long to change here. Change it in the file."
