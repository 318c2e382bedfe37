"""Data on its way to becoming a data set: a file, how it is read, what its columns mean, what was changed in its rows.

    cache/draft-<id>/  draft.json  source/<file>  edits.jsonl  (of a large file: rows-<…>/  examples-<…>/)

records  what a draft is, and a draft with its rows
store    drafts of a workspace: begin, look, change, save
rows     the rows of drafts: read when they are needed, those of large files kept on the disk
base     the rows as the file gives them
edits    the changes to rows, on disk
applied  the rows after the changes
shelf    which drafts lie there, and which are too old
naming   names of drafts and files, columns for another format
"""

from studio.drafts.naming import nice_name
from studio.drafts.records import MOST_KEPT_ASIDE, Draft, Opened, Options
from studio.drafts.store import GOALS, Drafts

__all__ = ["GOALS", "MOST_KEPT_ASIDE", "Draft", "Drafts", "Opened", "Options", "nice_name"]
