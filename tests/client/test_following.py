"""What comes into the mailbox is told once, in order, and is in the store."""

import json


def events(device, name):
    return [e for e in list(device.heard) if e["on"] == "event" and e["name"] == name]


def test_messages_come_while_the_device_is_there(device, send, ann, bob):
    phone = device(bob).wait_refreshed()
    send(ann, bob, "one", "two", "three")
    phone.wait_told(ann, ["one", "two", "three"])
    assert {item["source"] for item in phone.heard if item["on"] == "new_message"} == {"online"}


def test_what_was_told_is_not_told_again_after_a_restart(device, send, ann, bob):
    send(ann, bob, "one", "two")
    device(bob).wait_refreshed().end()
    send(ann, bob, "three")
    phone = device(bob).wait_refreshed()
    phone.wait_told(ann, ["three"])
    assert phone.texts(ann) == ["one", "two", "three"]


def test_recent_contacts_are_told_at_each_login_and_refresh_once(device, send, ann, bob, user):
    carol = user()
    send(ann, bob, "one")
    send(carol, bob, "two")
    device(bob).wait_refreshed().end()
    phone = device(bob).wait_refreshed()
    recent = [i["message"]["text"] for i in phone.heard if i.get("source") == "recent"]
    assert recent == ["two", "one"] and phone.told == []
    assert [item["on"] for item in phone.heard].count("refresh") == 1


def test_a_killed_device_misses_nothing_and_is_told_nothing_twice(device, api, send, ann, bob):
    """Killed at any moment: what was told before and after is disjoint, and the store has all."""
    texts = [f"message {i}" for i in range(120)]
    told = []
    for start in range(0, len(texts), 30):
        phone = device(bob)
        for text in texts[start : start + 30]:
            send(ann, bob, text)
            if len(phone.told) > 10:
                break
        phone.kill()
        told += phone.told_from(ann)
        already = start + texts[start : start + 30].index(text) + 1
        send(ann, bob, *texts[already : start + 30])
    last = device(bob).wait_refreshed()
    told += last.told_from(ann)
    assert told == sorted(set(told), key=texts.index)
    assert last.texts(ann, 200) == texts


def test_a_gap_in_the_numbers_is_seen_and_repaired(device, send, ann, bob, between):
    phone = device(bob, url=between.url).wait_refreshed()
    dropped = []

    def drop_the_second(event):
        if b'"two"' in event and not dropped:
            dropped.append(event)
        return bool(dropped and dropped[0] is event)

    between.drop = drop_the_second
    send(ann, bob, "one", "two", "three", "four")
    phone.wait_told(ann, ["one", "two", "three", "four"])
    assert len(dropped) == 1


def test_what_the_server_leaves_out_for_good_holds_nothing_up(device, api, send, ann, bob, between):
    """An event that never comes, though it is asked for again."""
    phone = device(bob, url=between.url).wait_refreshed()
    between.drop = lambda event: b'"two"' in event
    send(ann, bob, "one", "two", "three")
    phone.wait_told(ann, ["one", "three"])
    between.drop = None
    assert phone.texts(ann) == ["one", "two", "three"]
    send(ann, bob, "four")
    phone.wait_told(ann, ["one", "three", "four"])


def test_two_devices_of_a_user_are_in_step(device, send, ann, bob):
    phone = device(ann, name="phone").wait_refreshed()
    tablet = device(ann, name="tablet").wait_refreshed()
    phone.send(bob, "from the phone")
    tablet.wait_told(ann, ["from the phone"])
    tablet.send(bob, "from the tablet")
    phone.wait_told(ann, ["from the phone", "from the tablet"])
    send(bob, ann, "to both")
    for one in (phone, tablet):
        one.wait_told(bob, ["to both"])
        assert one.texts(bob) == ["from the phone", "from the tablet", "to both"]
        assert [m["outgoing"] for m in one.told] == [True, True, False]


def test_a_read_mark_is_seen_on_both_sides(device, ann, bob):
    phone, laptop = device(ann).wait_refreshed(), device(bob).wait_refreshed()
    phone.send(bob, "Tea?")
    laptop.wait_told(ann, ["Tea?"])
    (conversation,) = laptop.call("conversations")["items"]
    assert (conversation["peer"], conversation["unread"]) == (ann, 1)
    message = laptop.told[0]
    laptop.call("mark_read", ann, message["id"])
    assert phone.wait_for("event", name="peer_read", peer=bob)["up_to"] == message["sent_at"]
    assert laptop.wait_for("event", name="read", peer=ann)["up_to"] == message["sent_at"]
    (conversation,) = laptop.call("conversations")["items"]
    assert (conversation["unread"], conversation["read_up_to"]) == (0, message["sent_at"])
    (conversation,) = phone.call("conversations")["items"]
    assert conversation["peer_read_up_to"] == message["sent_at"]


def test_a_recalled_message_is_gone_on_all_devices(device, ann, bob):
    phone, laptop = device(ann).wait_refreshed(), device(bob).wait_refreshed()
    phone.send(bob, "a secret")
    laptop.wait_told(ann, ["a secret"])
    phone.wait_told(ann, ["a secret"])
    phone.call("recall", phone.told[0]["id"])
    for one, peer in ((phone, bob), (laptop, ann)):
        event = one.wait_for("event", name="message_recalled", message_id=phone.told[0]["id"])
        assert event["message"]["state"] == 2
        (message,) = one.call("get_messages", peer, None, 10)["items"]
        assert (message["state"], message["text"], message["elements"]) == (2, None, "[]")
    assert laptop.ask("recall", "AQIB")["error"] == "There is no such user or message."


def test_an_edited_message_is_new_on_both_sides(device, api, ann, bob):
    phone, laptop = device(ann).wait_refreshed(), device(bob).wait_refreshed()
    phone.send(bob, "Tea at four?")
    laptop.wait_told(ann, ["Tea at four?"])
    id = laptop.told[0]["id"]
    assert api.patch(f"/v1/messages/{id}", {"text": "Tea at five?"}).status == 200
    for one, peer in ((phone, bob), (laptop, ann)):
        assert one.wait_for("event", name="message_edited")["message"]["text"] == "Tea at five?"
        assert one.texts(peer) == ["Tea at five?"]


def test_what_a_user_removes_is_gone_on_all_devices_of_the_user(device, api, send, ann, bob):
    phone, laptop = device(ann).wait_refreshed(), device(bob).wait_refreshed()
    first, second, _ = send(ann, bob, "one", "two", "three")
    phone.wait_told(ann, ["one", "two", "three"])
    laptop.wait_told(ann, ["one", "two", "three"])
    assert api.delete(f"/v1/users/{ann}/messages/{second['id']}").status == 204
    phone.wait_for("event", name="message_deleted", message_id=second["id"])
    assert phone.texts(bob) == ["one", "three"]
    assert api.delete(f"/v1/users/{ann}/conversations/{bob}?messages=true").status == 204
    phone.wait_for("event", name="conversation", peer=bob)
    assert phone.texts(bob) == [] and phone.call("conversations")["items"] == []
    assert laptop.texts(ann) == ["one", "two", "three"]
    assert first["id"] not in json.dumps(phone.call("get_messages", bob, None, 10))


def test_friends_and_requests(device, api, ann, bob, user):
    carol = user(friend_policy="approval")
    phone, laptop = device(ann).wait_refreshed(), device(carol).wait_refreshed()
    phone.call("friend_add", bob, "Bobby")
    (friend,) = phone.call("friends")["items"]
    assert (friend["peer"], friend["nick"], friend["remark"]) == (bob, "Bob", "Bobby")
    assert friend["mutual"] and friend["since"]
    assert phone.ask("friend_add", carol, None)["error"] == "The server refuses it."
    phone.call("friend_request", carol, "It is me.")
    laptop.wait_for("event", name="friend_requested", peer=ann)
    (request,) = laptop.call("incoming_requests")["items"]
    assert (request["peer"], request["text"]) == (ann, "It is me.") and request["since"]
    assert [r["peer"] for r in phone.call("outgoing_requests")["items"]] == [carol]
    laptop.call("friend_accept", ann)
    phone.wait_for("event", name="friend_added", peer=carol)
    assert {f["peer"] for f in phone.call("friends")["items"]} == {bob, carol}
    phone.call("friend_remove", carol)
    laptop.wait_for("event", name="friend_removed", peer=ann)
    assert laptop.call("friends")["items"] == []
    phone.call("friend_request", carol, None)
    laptop.call("friend_reject", ann)
    assert laptop.call("incoming_requests")["items"] == []


def test_lists_of_friends_go_over_many_pages(device, api, ann, user):
    friends = [user() for _ in range(201)]
    for start in range(0, len(friends), 100):
        items = [{"peer": friend} for friend in friends[start : start + 100]]
        assert api.post(f"/v1/users/{ann}/friends", {"friends": items}).status == 200
    listed = [f["peer"] for f in device(ann).call("friends")["items"]]
    assert sorted(listed) == sorted(friends)


def test_blocks(device, ann, bob):
    phone = device(ann).wait_refreshed()
    phone.call("block_add", bob)
    phone.call("block_add", bob)
    (block,) = phone.call("blocks")["items"]
    assert (block["peer"], block["nick"]) == (bob, "Bob") and block["since"]
    phone.wait_for("event", name="block_added", peer=bob)
    phone.call("block_remove", bob)
    assert phone.call("blocks")["items"] == []
