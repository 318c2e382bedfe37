"""The cards of the Data tab that work on rows: findings, the table, where the data is from, versions, proposals.

Each has the parts of a tab: a View, build(), connect() and handlers. They take the Data tab's own View, which holds theirs,
and are drawn anew whenever `view.changed` changes: it names the draft, or the saved set, and its state.
"""
