"""Rows that are nested inside one another, made flat. One module a shape, each with

    NOTE      a sentence about what was done
    COUNTED   whether the new rows are numbered anew; otherwise they keep the number of what they come from
    fits      fits(item) -> bool
    rows      rows(item) -> the flat rows, each an object or, where nothing can be learned from it, a `Hopeless`

`unfold` chooses among them; `parts` chooses among several lists of rows in one file.
"""
