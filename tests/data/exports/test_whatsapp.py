"""WhatsApp's text export in the wordings of phones of many languages, and what only looks like it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.data.exports import whatsapp
from studio.data.exports.recognise import recognise_text
from studio.errors import StudioError

MARK = "\u200e"

LOCALES = {  # two messages on 20 June 2021 at 14:30 and 14:31
    "iPhone, Germany": "[20.06.21, 14:30:00] Anna: Hi\n[20.06.21, 14:31:00] Ben: Hello",
    "iPhone, United Kingdom": "[20/06/2021, 14:30:00] Anna: Hi\n[20/06/2021, 14:31:00] Ben: Hello",
    "iPhone, United States": "[6/20/21, 2:30:00\u202fPM] Anna: Hi\n[6/20/21, 2:31:00\u202fPM] Ben: Hello",
    "iPhone, Spain": "[20/6/21 14:30:00] Anna: Hi\n[20/6/21 14:31:00] Ben: Hello",
    "iPhone, Mexico": "[20/06/21, 2:30:00 p.\xa0m.] Anna: Hi\n[20/06/21, 2:31:00 p.\xa0m.] Ben: Hello",
    "iPhone, Finland": "[20.6.2021 klo 14.30.00] Anna: Hi\n[20.6.2021 klo 14.31.00] Ben: Hello",
    "iPhone, Netherlands": "[20-06-2021 14:30:00] Anna: Hi\n[20-06-2021 14:31:00] Ben: Hello",
    "iPhone, Sweden": "[2021-06-20 14:30:00] Anna: Hi\n[2021-06-20 14:31:00] Ben: Hello",
    "iPhone, China": "[2021/6/20 下午2:30:00] Anna: Hi\n[2021/6/20 下午2:31:00] Ben: Hello",
    "iPhone, Korea": "[2021. 6. 20. 오후 2:30:00] Anna: Hi\n[2021. 6. 20. 오후 2:31:00] Ben: Hello",
    "Android, Germany": "20.06.21, 14:30 - Anna: Hi\n20.06.21, 14:31 - Ben: Hello",
    "Android, older Germany": "20.06.21, 14:30 Uhr - Anna: Hi\n20.06.21, 14:31 Uhr - Ben: Hello",
    "Android, United Kingdom": "20/06/2021, 14:30 - Anna: Hi\n20/06/2021, 14:31 - Ben: Hello",
    "Android, United States": "6/20/21, 2:30 PM - Anna: Hi\n6/20/21, 2:31 PM - Ben: Hello",
    "Android, India": "20/06/21, 2:30 pm - Anna: Hi\n20/06/21, 2:31 pm - Ben: Hello",
    "Android, Spain": "20/6/21 14:30 - Anna: Hi\n20/6/21 14:31 - Ben: Hello",
    "Android, France": "20/06/2021 à 14:30 - Anna: Hi\n20/06/2021 à 14:31 - Ben: Hello",
    "Android, Brazil": "20/06/2021 14:30 - Anna: Hi\n20/06/2021 14:31 - Ben: Hello",
    "Android, Argentina": "20/6/21, 2:30 p. m. - Anna: Hi\n20/6/21, 2:31 p. m. - Ben: Hello",
    "Android, Netherlands": "20-06-21 14:30 - Anna: Hi\n20-06-21 14:31 - Ben: Hello",
    "Android, Japan": "2021/06/20 14:30 - Anna: Hi\n2021/06/20 14:31 - Ben: Hello",
    "Android, Korea": "2021년 6월 20일 오후 2:30, Anna : Hi\n2021년 6월 20일 오후 2:31, Ben : Hello",
    "Android, Arabic": "٢٠\u200f/٦\u200f/٢٠٢١، ٢:٣٠ م - Anna: Hi\n٢٠\u200f/٦\u200f/٢٠٢١، ٢:٣١ م - Ben: Hello",
    "Android, Greece": "20/6/21, 2:30 μ.μ. - Anna: Hi\n20/6/21, 2:31 μ.μ. - Ben: Hello",
}


def messages(text: str) -> list[tuple[str, str]]:
    return [(message.speaker, message.text) for message in whatsapp.messages_of(text, [])]


@pytest.mark.parametrize("where", LOCALES)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_phones_of_many_languages(where: str, ends: str) -> None:
    text = LOCALES[where].replace("\n", ends)
    assert whatsapp.fits(text)
    first, second = whatsapp.messages_of(text, [])
    assert (first.speaker, first.text, second.speaker, second.text) == ("Anna", "Hi", "Ben", "Hello")
    assert (first.number, second.number, second.when - first.when) == (1, 2, 60)
    assert datetime.fromtimestamp(first.when, UTC) == datetime(2021, 6, 20, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (["3/4/21", "13/4/21"], "day, month, year"),
        (["3/4/21", "3/14/21"], "month, day, year"),
        (["2/3/21", "3/3/21", "1/4/21"], "day, month, year"),  # the other way time would run back
        (["3/2/21", "3/3/21", "4/1/21"], "month, day, year"),
        (["3/3/21"], "day, month, year"),
        (["2021/3/3"], "year, month, day"),
    ],
)
def test_the_order_of_a_date_is_found_in_the_whole_chat(dates: list[str], order: str) -> None:
    notes: list[str] = []
    list(whatsapp.messages_of("\n".join(f"{date}, 14:30 - Anna: Hi" for date in dates), notes))
    assert notes == [f"Dates were read as {order}."]


def test_noon_and_midnight() -> None:
    text = "6/20/21, 12:00 AM - Anna: a\n6/20/21, 12:00 PM - Ben: b\n6/20/21, 1:00 PM - Anna: c"
    times = [message.when for message in whatsapp.messages_of(text, [])]
    assert [time - times[0] for time in times] == [0, 12 * 3600, 13 * 3600]


def test_messages_of_several_lines_and_colons() -> None:
    text = (
        "20.06.21, 14:30 - Anna: Two things:\n1. Bread\n\n2. Time: 14:30 - or later\n20.06.21, 14:31 - Ben:\nbelow\n"
        "20.06.21, 14:32 - ~\xa0Carla: https://example.org"
    )
    assert messages(text) == [
        ("Anna", "Two things:\n1. Bread\n\n2. Time: 14:30 - or later"),
        ("Ben", "below"),
        ("Carla", "https://example.org"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "20.06.21, 14:30 - Messages and calls are end-to-end encrypted. No one outside of this chat can read them.",
        "20.06.21, 14:30 - Anna created group “Bakery”",
        "20.06.21, 14:30 - Anna changed the subject to “Plans: summer”",
        "20.06.21, 14:30 - +49 170 1234567 joined using this group's invite link",
        "20.06.21, 14:30 - Anna: <Media omitted>",
        "20.06.21, 14:30 - Anna: <Medien ausgeschlossen>",
        "20.06.21, 14:30 - Anna: <Multimedia omitido>",
        "20.06.21, 14:30 - Anna: IMG-20210620-WA0001.jpg (file attached)",
        f"20.06.21, 14:30 - Anna: {MARK}IMG-20210620-WA0001.jpg (Datei angehängt)",
        "20.06.21, 14:30 - Anna: This message was deleted",
        "20.06.21, 14:30 - Anna: Du hast diese Nachricht gelöscht.",
        "20.06.21, 14:30 - Anna: null",
        f"{MARK}[20.06.21, 14:30:00] Anna: {MARK}Bild weggelassen",
        f"{MARK}[20.06.21, 14:30:00] Anna: {MARK}<attached: 00000012-PHOTO-2021-06-20.jpg>",
        f"[20.06.21, 14:30:00] Bakery: {MARK}Messages and calls are end-to-end encrypted.",
        f"{MARK}[20.06.21, 14:30:00] Anna: Menu.pdf • {MARK}3 pages {MARK}document omitted",
        f"[20.06.21, 14:30:00] Anna: {MARK}Missed voice call",
    ],
)
def test_what_the_app_wrote_is_left_aside_and_counted(line: str) -> None:
    notes: list[str] = []
    found = list(whatsapp.messages_of(f"{line}\n20.06.21, 14:31 - Ben: Hello", notes))
    assert [(message.speaker, message.text) for message in found] == [("Ben", "Hello")]
    assert notes[-1] == "Left aside: 1 notices, pictures, calls and deleted messages."


@pytest.mark.parametrize("mark", [f" {MARK}<This message was edited>", " <This message was edited>"])
def test_the_sign_of_an_edit_is_taken_off(mark: str) -> None:
    assert messages(f"20.06.21, 14:30 - Anna: At six{mark}") == [("Anna", "At six")]


@pytest.mark.parametrize(
    "text",
    [
        "Once upon a time, there was a bakery.\n20.06.21, 14:30 - Anna: Hi\n20.06.21, 14:31 - Ben: Hello",
        "20.06.21, 14:30 - a diary entry without a speaker\n21.06.21, 14:30 - another one",
        "20.06.21, 14:30 - Anna: only one message",
        "12:30 Lunch\n13:30 Meeting",
        "question,answer\nWhen?,Now.",
        "",
    ],
)
def test_other_texts_are_not_taken_for_it(text: str) -> None:
    assert not whatsapp.fits(text)
    assert recognise_text(text, "a.txt") is None


def test_a_chat_of_pictures_is_refused() -> None:
    text = "20.06.21, 14:30 - Anna: <Media omitted>\n20.06.21, 14:31 - Ben: <Media omitted>"
    with pytest.raises(StudioError, match=r"^a.txt could not be read. It holds no messages with words."):
        recognise_text(text, "a.txt")


def test_an_impossible_date_is_still_a_message() -> None:
    assert [message.when for message in whatsapp.messages_of("31.02.21, 14:30 - Anna: Hi", [])] == [None]


@given(st.text(max_size=300))
def test_any_text_behind_a_message_is_survived(rest: str) -> None:
    found = messages(f"20.06.21, 14:30 - Anna: Hi\n{rest}")
    assert found == [] or found[0][0] == "Anna"
