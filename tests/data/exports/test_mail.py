"""Mailboxes and single mails: threads, what the author wrote, encodings, and mails that are no conversation."""

from __future__ import annotations

import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.exports import mail
from studio.data.exports.hypertext import text_of_html
from studio.data.exports.recognise import recognise_bytes
from studio.data.read import read
from studio.errors import StudioError
from tests.data.files import write

ANNA, BEN = "Anna Käufer <anna@example.org>", "Bakery <ben@bakery.example>"


def letter(
    sender: str, text: str, *, number: int = 1, answers: int = 0, subject: str = "Bread", html: bool = False, **more: str
) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = sender, ANNA if sender == BEN else BEN
    message["Subject"], message["Date"] = subject, f"Wed, 01 May 2024 10:{number:02}:00 +0200"
    if number:
        message["Message-ID"] = f"<{number}@example.org>"
    if answers:
        message["In-Reply-To"] = f"<{answers}@example.org>"
    for name, value in more.items():
        message[name.replace("_", "-")] = value
    message.set_content(text, subtype="html" if html else "plain")
    return message.as_bytes()


def mailbox(*letters: bytes) -> bytes:
    return b"".join(b"From 1@xxx Wed May 01 08:00:00 +0000 2024\n" + item + b"\n" for item in letters)


ASKED = letter(ANNA, "Is there rye bread – today?\n-- \nAnna Käufer\nTel. 123")
ANSWERED = letter(
    BEN,
    "Yes, until six.\n\nOn Wed, 1 May 2024 at 10:01, Anna Käufer <anna@example.org>\nwrote:\n> Is there rye bread – today?\n",
    number=2,
    answers=1,
    subject="Re: Bread",
    Delivered_To="ben@bakery.example",
)


def test_a_mailbox_becomes_threads(tmp_path: Path) -> None:
    other = letter(ANNA, "Are you open?", number=3, subject="Hours")
    found = read(write(tmp_path, "Sent.mbox", mailbox(ASKED, ANSWERED, other)))
    assert [row["turns"] for row in found.rows] == [
        [["Anna Käufer", "Is there rye bread – today?"], ["Bakery", "Yes, until six."]],
        [["Anna Käufer", "Are you open?"]],
    ]
    assert (found.kind, found.row_numbers, found.me) == ("mail", [1, 3], "Bakery")
    done = convert(found, detect(found))
    assert [message["content"] for message in done.examples[0].messages] == ["Is there rye bread – today?", "Yes, until six."]
    assert done.left_out[0].reason == "“Bakery” says nothing in it."


def test_windows_line_ends_and_one_mail(tmp_path: Path) -> None:
    assert mail.fits(mailbox(ASKED).replace(b"\n", b"\r\n"))
    found = read(write(tmp_path, "one.eml", ASKED.replace(b"\n", b"\r\n")))
    assert found.rows == [{"turns": [["Anna Käufer", "Is there rye bread – today?"]], "chat": "Bread"}]


def test_threads_without_ids_share_a_subject() -> None:
    first = letter(ANNA, "Open?", number=0, subject="Hours")
    second = letter(BEN, "Yes.", number=0, subject="AW: Hours").replace(b"10:00:00", b"11:00:00")
    assert [len(row["turns"]) for row in recognise_bytes(mailbox(second, first), "a").rows] == [2]
    assert recognise_bytes(mailbox(second, first), "a").rows[0]["turns"][0][0] == "Anna Käufer"


@pytest.mark.parametrize(
    "below",
    [
        "On Wed, 1 May 2024 at 10:01, Anna <anna@example.org> wrote:\n> quoted\n> more",
        "On Wed, 1 May 2024 at 10:01, Anna\n<anna@example.org> wrote:\n\n> quoted",
        "On Wed, 1 May 2024, Anna wrote:\nquoted without marks",
        "Am 01.05.2024 um 10:01 schrieb Anna:\n> quoted",
        "Le mer. 1 mai 2024 à 10:01, Anna <anna@example.org> a écrit :\n> quoted",
        "El mié, 1 may 2024 a las 10:01, Anna (<anna@example.org>) escribió:\n> quoted",
        "Em qua., 1 de mai. de 2024, Anna escreveu:\n> quoted",
        "Il giorno mer 1 mag 2024 Anna ha scritto:\n> quoted",
        "-----Original Message-----\nFrom: Anna\nquoted",
        "-----Ursprüngliche Nachricht-----\nVon: Anna\nquoted",
        "________________________________\nFrom: Anna\nquoted",
        "From: Anna <anna@example.org>\nSent: Wednesday, 1 May 2024 10:01\nTo: Ben\nSubject: Bread\n\nquoted",
        "Von: Anna\nGesendet: Mittwoch\n\nquoted",
        "-- \nBen Baker\nTel. 123",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "> quoted",
    ],
)
def test_quoted_replies_and_signatures_are_cut(below: str) -> None:
    assert mail.own_words(f"Yes, until six.\n\nBen\n\n{below}\n") == "Yes, until six.\n\nBen"


def test_answers_between_quoted_lines_stay() -> None:
    text = "On Wed Anna wrote:\n> Open?\nYes.\n> Until when?\nSix.\n"
    assert mail.own_words(text) == "Yes.\nSix."


@pytest.mark.parametrize("line", ["From: the bakery to you", "On the table: bread", "Date: tomorrow", "2 > 1 is true"])
def test_ordinary_lines_are_not_cut(line: str) -> None:
    assert mail.own_words(f"Hello.\n{line}\nBye.") == f"Hello.\n{line}\nBye."


def test_plain_text_is_preferred_and_html_is_read_as_text() -> None:
    page = "<html><head><style>p{}</style></head><body><p>Yes,&nbsp;until <b>six</b>.</p><div>Ben</div>"
    page += "<!--[if mso]><p>x</p><![endif]--><blockquote>old</blockquote></body>"
    assert recognise_bytes(letter(BEN, page, html=True), "a").rows[0]["turns"][0][1] == "Yes, until six.\n\nBen"
    both = EmailMessage()
    both["From"], both["To"], both["Subject"] = BEN, ANNA, "Bread"
    both.set_content("plain words")
    both.add_alternative("<p>other words</p>", subtype="html")
    both.add_attachment(b"\x00\x01", maintype="image", subtype="png", filename="a.png")
    assert recognise_bytes(both.as_bytes(), "a").rows[0]["turns"][0][1] == "plain words"


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8", "windows-1252", "koi8-r", "gb2312"])
def test_encodings_of_the_parts(encoding: str) -> None:
    words = {"koi8-r": "Хлеб", "gb2312": "面包"}.get(encoding, "Brötchen")
    raw = (
        f"From: {BEN}\nTo: {ANNA}\nSubject: x\nContent-Type: text/plain; charset={encoding}\nContent-Transfer-Encoding: 8bit\n\n"
    )
    assert recognise_bytes(raw.encode() + words.encode(encoding), "a").rows[0]["turns"][0][1] == words


@pytest.mark.parametrize(
    "bad",
    [
        letter(ANNA, "News of the week", List_Unsubscribe="<https://example.org>"),
        letter(ANNA, "News of the week", Precedence="bulk"),
        letter(ANNA, "> only quoted"),
        letter(ANNA, "forwarded words", subject="Fwd: Bread"),
        b"Subject: no sender\nDate: x\nTo: y\n\nHello",
        b"From: a@b.c\nDate: no date\nTo: y\nContent-Type: text/plain; charset=unknown-9\n\n\xff\xfe",
        b"From: a@b.c\nTo: d\nSubject: s\nContent-Type: multipart/mixed; boundary=x\n\n--x\n",
    ],
)
def test_what_is_no_conversation_is_passed_over(bad: bytes) -> None:
    assert [row["turns"] for row in recognise_bytes(mailbox(bad, ASKED), "a").rows][-1:] == [
        [["Anna Käufer", "Is there rye bread – today?"]]
    ]


def test_a_mailbox_of_newsletters_is_refused() -> None:
    with pytest.raises(StudioError, match=r"^a could not be read. It holds no messages with words."):
        recognise_bytes(mailbox(letter(ANNA, "News", List_Unsubscribe="<https://example.org>")), "a")


@pytest.mark.parametrize(
    "data",
    [b"", b"From the bakery to you\nwith love", b"From: me", b"question,answer\nFrom: a,b", b"\x00\x01", b"Subject: x\n\nHi"],
)
def test_other_files_are_not_taken_for_mail(data: bytes) -> None:
    assert recognise_bytes(data, "a") is None


@given(st.text(max_size=400))
def test_any_words_are_survived(text: str) -> None:
    mail.own_words(text)
    text_of_html(text)


@pytest.mark.parametrize(
    "piece", ["<", "</", "<!", "<![CDATA[", "<a ", "&", "<!--", "<script>", "> ", "On on ", "From: x\n", "re: "]
)
def test_no_text_takes_long(piece: str) -> None:
    long = piece * (mail.LONGEST // len(piece))
    start = time.perf_counter()
    mail.own_words(long)
    text_of_html(long)
    mail.REPLY.sub("", long)
    assert time.perf_counter() - start < 5
