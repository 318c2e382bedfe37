"""Every encoding people meet, in short and long texts of several languages: which are found is a table, not a hope."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from studio.data.read import read
from studio.data.readers.encoding import decode
from tests.data.files import write

TEXTS = {
    "English": "question,answer\nWhen do you open?,We open at six – every day.\nIs it “fresh”?,It’s baked daily.\n",
    "German": "Frage,Antwort\nWann öffnen Sie?,Wir öffnen täglich um sechs Uhr.\nIst es frisch?,Ja. Schöne Grüße!\n",
    "French": "question,réponse\nÀ quelle heure ouvrez-vous?,À six heures du matin sauf l'été.\nEst-il frais?,Oui dès l'aube.\n",
    "Spanish": "pregunta,respuesta\n¿A qué hora abren?,Abrimos a las seis de la mañana.\n¿Está fresco?,Sí recién hecho.\n",
    "Swedish": "fråga,svar\nNär öppnar ni?,Vi öppnar klockan sex på morgonen.\nÄr brödet färskt?,Ja det är bakat i dag.\n",
    "Japanese": "質問,回答\n何時に開きますか？,朝六時に開店します。\n日曜日も営業していますか？,日曜日はお休みです。\n",
    "Chinese": "问题,答案\n你们几点开门?,我们早上六点开门。\n周日也营业吗?,周日我们休息，请在其他时间来。\n",
    "Taiwanese": "問題,答案\n你們幾點開門?,我們早上六點開門。\n週日也營業嗎?,週日我們休息。\n",
    "Korean": "질문,답변\n몇 시에 문을 여나요?,아침 여섯 시에 문을 엽니다.\n일요일에도 영업하나요?,일요일에는 쉽니다.\n",
    "Russian": "Вопрос,Ответ\nКогда вы открываетесь?,Мы открываемся в шесть утра.\nХлеб свежий?,Да печём его утром.\n",
    "Greek": "ερώτηση,απάντηση\nΤι ώρα ανοίγετε;,Ανοίγουμε στις έξι το πρωί.\nΕίναι φρέσκο;,Ναι κάθε πρωί.\n",
    "Hebrew": "שאלה,תשובה\nמתי אתם פותחים?,אנחנו פותחים בשש בבוקר.\nהאם זה טרי?,כן בכל בוקר.\n",
    "Arabic": "سؤال,جواب\nمتى تفتحون؟,نفتح في السادسة صباحا كل يوم.\nهل هو طازج؟,نعم كل صباح.\n",
    "Thai": "คำถาม,คำตอบ\nเปิดกี่โมง,เปิดหกโมงเช้าทุกวัน\nวันอาทิตย์เปิดไหม,ปิดวันอาทิตย์\n",
}
OWN = {
    "English": ["cp1252"],
    "German": ["cp1252", "latin-1"],
    "French": ["cp1252", "latin-1"],
    "Spanish": ["cp1252", "latin-1"],
    "Swedish": ["cp1252", "latin-1"],
    "Japanese": ["shift_jis", "cp932", "euc_jp"],
    "Chinese": ["gbk", "gb18030"],
    "Taiwanese": ["big5"],
    "Korean": ["cp949"],
    "Russian": ["cp1251", "koi8-r"],
    "Greek": ["cp1253"],
    "Hebrew": ["cp1255"],
    "Arabic": ["cp1256"],
    "Thai": ["cp874"],
}
UNICODE = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "utf-16-le with mark": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-16-be with mark": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
}


@pytest.mark.parametrize("times", [1, 3, 50], ids=["short", "longer", "long"])
@pytest.mark.parametrize(("language", "encoding"), [(name, one) for name in TEXTS for one in (*OWN[name], *UNICODE)])
def test_the_letters_are_right(tmp_path: Path, language: str, encoding: str, times: int) -> None:
    text = TEXTS[language] * times
    data = UNICODE[encoding](text) if encoding in UNICODE else text.encode(encoding)
    got, found, notes = decode(data, "a.csv")
    assert got == text, f"read as {found}"
    assert bool(notes) == (encoding not in UNICODE)
    if times == 1:
        table = read(write(tmp_path, "a.csv", data))
        assert table.columns == tuple(text.split("\n")[0].split(",")) and len(table.rows) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"question,answer\nA?,1\x00.\nB?,\x002.\n" + b"C?,3.\n" * 90,
        "Frage,Antwort\nWie spät?,Früh\x00.\n".encode() + "Wärmer?,Kühler.\n".encode() * 90,
    ],
)
def test_nul_signs_in_other_text_make_no_utf_16_of_it(data: bytes) -> None:
    assert decode(data, "a.csv")[0] == data.decode()
