"""Personal data and secrets, found before training.

    hits       what a finder is told and gives, and the kinds
    secrets, numbers, national, online, phone, address, birth, names
               the finders: one module a family, all with `find(text, clues)`
    scan       all of them over a text, an example or rows
    standins   invented values in the place of real ones

To add a kind: put it into `hits.KINDS`, find it in a module listed in `scan.FINDERS`, give it a maker in `standins.MAKERS`
and its words in `checks.personal.WORDING`.
"""
