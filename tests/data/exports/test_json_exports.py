"""Exports of ChatGPT, Telegram and Discord in their documented or observed shapes, whole and damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.exports.recognise import recognise_json
from studio.data.read import read, read_pasted
from studio.errors import StudioError
from tests.data.files import write


def node(key: str, parent: str | None, role: str = "", *parts: Any, **more: Any) -> dict[str, Any]:
    content = {"content_type": more.pop("content_type", "text"), "parts": list(parts)}
    message = (
        {"id": key, "author": {"role": role}, "content": content, "recipient": "all", "weight": 1.0} | more if role else None
    )
    return {"id": key, "parent": parent, "children": [], "message": message}


def conversation(*nodes: dict[str, Any], last: str) -> dict[str, Any]:
    return {"title": "Bread", "create_time": 1.7e9, "mapping": {item["id"]: item for item in nodes}, "current_node": last}


TREE = conversation(
    node("root", None),
    node("s", "root", "system", ""),
    node("u1", "s", "user", "How do I bake bread?"),
    node("a1", "u1", "assistant", "An answer that was made again."),
    node("a2", "u1", "assistant", "With flour."),
    node("u2", "a2", "user", "And then?"),
    node("t1", "u2", "assistant", "search('bread')", recipient="browser", content_type="code"),
    node("t2", "t1", "tool", "A page."),
    node("th", "t2", "assistant", "Hm.", content_type="thoughts"),
    node("a3", "th", "assistant", "Wait an hour."),
    last="a3",
)


def turns_of(whole: Any) -> list[list[list[str]]]:
    found = recognise_json(whole, "conversations.json")
    assert found is not None
    return [row["turns"] for row in found.rows]


def test_chatgpt_follows_the_version_shown_last() -> None:
    assert turns_of([TREE]) == [
        [["user", "How do I bake bread?"], ["assistant", "With flour."], ["user", "And then?"], ["assistant", "Wait an hour."]]
    ]
    other = {**TREE, "current_node": "a1"}
    assert turns_of([other])[0][-1] == ["assistant", "An answer that was made again."]


def test_chatgpt_is_learned_as_the_assistant() -> None:
    found = recognise_json([TREE, TREE], "conversations.json")
    mapping = detect(found)
    assert (mapping.format, mapping.sure, mapping.choices.me) == ("dialogue", "certain", "assistant")
    assert mapping.speakers == {"user": 4, "assistant": 4}
    assert "answer as “assistant”" in mapping.reason
    examples = convert(found, mapping).examples
    assert [message["role"] for message in examples[0].messages] == ["user", "assistant", "user", "assistant"]
    assert [row["chat"] for row in found.rows] == ["Bread", "Bread"] and found.row_numbers == [1, 2]


def test_chatgpt_a_question_that_is_only_a_picture_takes_its_answer_with_it() -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1"}
    whole = conversation(
        node("u1", None, "user", "One?"),
        node("a1", "u1", "assistant", "1."),
        node("u2", "a1", "user", picture, content_type="multimodal_text"),
        node("a2", "u2", "assistant", "A cat."),
        node("u3", "a2", "user", picture, "What is it?", content_type="multimodal_text"),
        node("a3", "u3", "assistant", "A dog."),
        last="a3",
    )
    assert turns_of(whole) == [
        [["user", "One?"], ["assistant", "1."]],
        [["user", "What is it?"], ["assistant", "A dog."]],
    ]


def test_chatgpt_hidden_and_spoken_messages() -> None:
    spoken = {"content_type": "audio_transcription", "text": "When?", "direction": "in"}
    whole = conversation(
        node("c", None, "user", "About me: …", content_type="user_editable_context"),
        node("h", "c", "user", "hidden", metadata={"is_visually_hidden_from_conversation": True}),
        node("u1", "h", "user", spoken, content_type="multimodal_text"),
        node("a1", "u1", "assistant", "Now."),
        node("a2", "a1", "assistant", "dropped", weight=0),
        last="a2",
    )
    assert turns_of([whole]) == [[["user", "When?"], ["assistant", "Now."]]]


@pytest.mark.parametrize(
    "broken",
    [
        {"mapping": {}, "current_node": None},
        {"mapping": {"a": node("a", "a", "user", "x")}, "current_node": "b"},
        {"mapping": {"a": 5}, "current_node": "a"},
        {"mapping": {"a": {"message": {"author": 5, "content": 5}, "parent": 5}}, "current_node": "a"},
    ],
)
def test_chatgpt_damaged_conversations_are_refused_or_passed_over(broken: dict[str, Any]) -> None:
    assert turns_of([broken, 5, TREE]) == turns_of([TREE])
    with pytest.raises(StudioError, match="no messages with words"):
        recognise_json([broken], "conversations.json")


def test_chatgpt_a_circle_ends() -> None:
    whole = {"mapping": {"a": node("a", "b", "user", "x"), "b": node("b", "a", "assistant", "y")}, "current_node": "b"}
    assert turns_of([whole]) == [[["user", "x"], ["assistant", "y"]]]


def wrote(number: int, who: str, text: Any, date: str = "2024-05-01T10:00:00", **more: Any) -> dict[str, Any]:
    return {"id": number, "type": "message", "date": date, "from": who, "from_id": f"user{len(who)}", "text": text} | more


TELEGRAM = {
    "name": "Ben Baker",
    "type": "personal_chat",
    "id": 1,
    "messages": [
        {"id": 1, "type": "service", "date": "2024-05-01T09:00:00", "actor": "Anna", "action": "phone_call", "text": ""},
        wrote(2, "Anna", "Are you open?"),
        wrote(3, "Ben Baker", ["Look at ", {"type": "link", "text": "example.org"}, "."]),
        wrote(4, "Anna", "", photo="(File not included.)"),
        wrote(5, "Anna", "A poem", forwarded_from="Poems"),
        wrote(6, "Anna", "Thanks", "2024-05-02T10:00:00"),
    ],
}


def test_telegram_one_chat() -> None:
    found = recognise_json(TELEGRAM, "result.json")
    assert [row["turns"] for row in found.rows] == [
        [["Anna", "Are you open?"], ["Ben Baker", "Look at example.org."]],
        [["Anna", "Thanks"]],
    ]
    assert (found.kind, found.row_numbers, found.me) == ("telegram", [2, 6], "")


def test_telegram_a_whole_account_names_its_owner() -> None:
    whole = {
        "personal_information": {"user_id": 9, "first_name": "Ben"},
        "chats": {"about": "…", "list": [TELEGRAM, {"type": "saved_messages", "messages": [wrote(1, "Ben Baker", "Note")]}]},
    }
    found = recognise_json(whole, "result.json")
    assert found.me == "Ben Baker" and len(found.rows) == 3
    mapping = detect(found)
    assert mapping.choices.me == "Ben Baker"
    done = convert(found, mapping)
    assert [example.messages[1]["content"] for example in done.examples] == ["Look at example.org."]
    assert [item.reason for item in done.left_out] == ["“Ben Baker” says nothing in it.", "Nobody but “Ben Baker” speaks in it."]


def test_telegram_deleted_accounts_have_a_name() -> None:
    whole = {"type": "personal_chat", "messages": [wrote(1, "A", "x"), wrote(2, "A", "y") | {"from": None, "from_id": "user1"}]}
    assert [turn[0] for turn in turns_of(whole)[0]] == ["A", "Deleted account"]


def posted(number: int, who: str, text: str, when: str = "2024-05-01T10:00:00.5+00:00", **more: Any) -> dict[str, Any]:
    author = {"id": who, "name": who.lower(), "discriminator": "0000", "nickname": who, "isBot": False}
    return {"id": str(number), "type": "Default", "timestamp": when, "content": text, "author": author, "attachments": []} | more


DISCORD = {
    "guild": {"id": "0", "name": "Direct Messages"},
    "channel": {"id": "1", "type": "DirectTextChat", "name": "help"},
    "dateRange": {"after": None, "before": None},
    "messages": [
        posted(1, "Anna", "Are you open?"),
        posted(2, "Ben", "Joined the server.", type="GuildMemberJoin"),
        posted(3, "Ben", "Yes", type="Reply"),
        posted(4, "Ben", ""),
        posted(5, "Anna", "Thanks", "2024-05-02T10:00:00+00:00"),
    ],
    "messageCount": 5,
}


def test_discord() -> None:
    found = recognise_json(DISCORD, "help.json")
    assert [row["turns"] for row in found.rows] == [[["Anna", "Are you open?"], ["Ben", "Yes"]], [["Anna", "Thanks"]]]
    assert (found.kind, found.row_numbers, found.rows[0]["chat"]) == ("discord", [1, 5], "help")
    assert len(recognise_json(DISCORD, "help.json", pause=10**6).rows) == 1


@pytest.mark.parametrize(
    "item", [5, {}, {"type": "Default"}, {"type": "Default", "author": 5, "content": "x"}, {"author": {"name": 5}}]
)
def test_discord_damaged_messages_are_passed_over(item: Any) -> None:
    assert turns_of({**DISCORD, "messages": [item, posted(1, "Anna", "Hi")]}) == [[["Anna", "Hi"]]]


@pytest.mark.parametrize(
    "whole",
    [
        [],
        {},
        5,
        None,
        "text",
        [[]],
        [{"mapping": 5, "current_node": "x"}],
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"messages": [{"type": "message", "text": "no date"}]},
        {"chats": {"list": None}},
        {"chats": {"list": [5, {"messages": 5}]}},
        {"channel": "name", "messages": []},
    ],
)
def test_other_json_is_not_taken_for_a_chat(whole: Any) -> None:
    assert recognise_json(whole, "a.json") is None


@pytest.mark.parametrize("whole", [[TREE], TELEGRAM, DISCORD])
def test_they_are_known_by_content_whatever_the_file_is_called(whole: Any, tmp_path: Path) -> None:
    found = read(write(tmp_path, "anything.json", json.dumps(whole)))
    assert (found.columns[0], found.encoding) == ("turns", "utf-8")
    assert detect(found).format == "dialogue"
    assert read_pasted(json.dumps(whole)).rows == found.rows
