"""Personal data and secrets, found before training.

    hits       what a finder gives, the kinds, and what finders share
    secrets, numbers, national, online, phone, address, birth, names
               the finders: one module a family, all with `likely(texts)` and `find(text)`
    scan       all of them over a text, an example or rows
    standins   invented values in the place of real ones

To add a kind: put it into `hits.KINDS`, find it in a module listed in `scan.FINDERS`, give it a maker in `standins.MAKERS`
and its words in `checks.personal.WORDING`.

What is found of the 128 spans of the development data's presidio_pii_small.json (100 generated sentences; a span counts as found
when a hit overlaps it), measured with `python -m tests.benchmarks.privacy`:

    kind             spans  found  recall  hits  right  precision
    PERSON              55     36    0.65    41     36       0.88
    ADDRESS             46     29    0.63    21     21       1.00
    PHONE_NUMBER        10     10    1.00    10     10       1.00
    CREDIT_CARD         10     10    1.00    10     10       1.00
    US_SSN               3      3    1.00     3      3       1.00
    EMAIL_ADDRESS        2      2    1.00     2      2       1.00
    IP_ADDRESS           2      2    1.00     2      2       1.00
    all                128     92    0.72    89     84       0.94

Missed are surnames alone, first names in lower case or that are words as well, pieces of addresses on lines of their own.
The rules were changed after looking at this file, so on other data expect less. Names in scripts without capital letters are not
found, nor are places alone, licence plates, and numbers of passports and driving licences.

Hits other than names in data without personal data: 2 in 4,500 rows of gsm8k, 1 in 3,000 of clinc150, 0 in 600 tech support
questions, none in Alice, Candide, xquad_es and squad, 1 in 1,500 of qnli.
Names of known and of invented people are reported.

100,000 rows of 200 characters take 4.3 s of processor time without personal data (4.6 MB/s) and 9.7 s where every fifth row holds
some (2.0 MB/s), measured while other work kept both cores busy.
"""
