"""Chats as people export them. One module a kind of JSON export, each with

    KIND      what the reading is called
    fits      fits(whole) -> bool, by content
    read      read(whole, name, pause=PAUSE) -> Reading

`whatsapp` and `mail` do the same for text and for bytes. `exchanges` makes rows of messages; `recognise` chooses.
To add a kind: write its module and name it in `recognise.JSON_KINDS`.
"""
