"""The story that libduet was made for, step by step."""


def test_a_message_to_someone_who_is_away_is_there_at_login(device, api, send, ann, bob):
    # A sends to B, who is offline: more than the server keeps for a device that is away.
    texts = [f"message {i}" for i in range(1, 131)]
    send(ann, bob, *texts)

    # A is among B's recent contacts.
    recent = api.as_user(bob).get(f"/v1/users/{bob}/conversations").json["items"]
    assert [c["peer"] for c in recent] == [ann]
    assert recent[0]["last_message"]["elements"][0]["text"] == "message 130"

    # B logs in.
    phone = device(bob).wait_refreshed()

    # The library pulls the offline messages, the newest hundred of this contact, into on_new_message,
    # then the recent contacts, then calls on_refresh.
    told = [
        (item["on"], item.get("source"), item["message"]["text"] if "message" in item else None)
        for item in phone.heard
        if item["on"] in ("new_message", "refresh")
    ]
    assert told == [
        *(("new_message", "offline", text) for text in texts[30:]),
        ("new_message", "recent", "message 130"),
        ("refresh", None, None),
    ]

    # duet_get_messages finds that the local store is incomplete, and fetches the rest from the history.
    newest = phone.call("get_messages", ann, None, 100)
    assert [m["text"] for m in newest["items"]] == texts[:29:-1]
    assert newest["complete"] and not newest["end"]
    older = phone.call("get_messages", ann, newest["items"][-1]["id"], 100)
    assert [m["text"] for m in older["items"]] == texts[29::-1]
    assert older["complete"] and older["end"]
