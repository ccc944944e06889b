"""What duet_get_messages gives is all there is, or it says that it is not."""

import datetime
import secrets


def days_ago(days):
    time = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def import_messages(api, sender, receiver, texts, days):
    messages = [
        {"from": sender, "to": receiver, "text": text, "sent_at": days_ago(days), "client_id": secrets.token_hex(8)}
        for text in texts
    ]
    for start in range(0, len(messages), 100):
        reply = api.post("/v1/messages/import", {"messages": messages[start : start + 100]})
        assert all(result["status"] == 201 for result in reply.json["results"]), reply


def pages(device, peer, limit):
    """All messages, by pages; newest first."""
    found, before = [], None
    while True:
        page = device.call("get_messages", peer, before, limit)
        assert page["complete"], page["why"]
        found += [message["text"] for message in page["items"]]
        if page["end"]:
            return found
        before = page["items"][-1]["id"]


def test_history_is_fetched_once(device, send, ann, bob, between):
    texts = [f"message {i}" for i in range(130)]
    send(ann, bob, *texts)
    phone = device(bob, url=between.url).wait_refreshed()
    assert pages(phone, ann, 30) == texts[::-1]
    n_requests = len(between.seen)
    assert pages(phone, ann, 7) == texts[::-1]
    assert not [path for _, path in between.seen[n_requests:] if "/messages" in path]


def test_history_with_someone_who_wrote_nothing_new_is_found(device, api, send, ann, bob):
    import_messages(api, ann, bob, [f"old {i}" for i in range(3)], days=2)
    phone = device(bob).wait_refreshed()
    assert phone.texts(ann) == ["old 0", "old 1", "old 2"]
    send(ann, bob, "new")
    phone.wait_told(ann, ["new"])
    assert phone.texts(ann) == ["old 0", "old 1", "old 2", "new"]


def test_days_with_imported_messages_are_in_the_order_of_the_server(device, api, ann, bob):
    for days in (3, 1, 2):
        import_messages(api, ann, bob, [f"{days} days ago, {i}" for i in range(60)], days)
    expected = [f"{days} days ago, {i}" for days in (3, 2, 1) for i in range(60)]
    phone = device(bob).wait_refreshed()
    assert pages(phone, ann, 50) == expected[::-1]
    assert phone.texts(ann, 200) == expected


def test_what_came_while_away_for_long_leaves_a_gap_that_is_filled(device, send, ann, bob):
    before = [f"before {i}" for i in range(5)]
    during = [f"during {i}" for i in range(150)]
    phone = device(bob).wait_refreshed()
    send(ann, bob, *before)
    phone.wait_told(ann, before)
    phone.end()
    send(ann, bob, *during)
    phone = device(bob).wait_refreshed()
    assert phone.told_from(ann) == during[50:]
    assert phone.texts(ann, 200) == before + during


def test_a_gap_that_cannot_be_filled_is_told(device, send, ann, bob, between):
    texts = [f"message {i}" for i in range(130)]
    send(ann, bob, *texts)
    phone = device(bob, url=between.url).wait_refreshed()
    between.instead = lambda handler: "/messages" in handler.path
    answer = phone.call("get_messages", ann, None, 200)
    assert [m["text"] for m in answer["items"]] == texts[:29:-1]
    assert not answer["complete"] and not answer["end"]
    assert answer["why"] == "The server cannot be reached."
    assert phone.call("get_messages", ann, None, 50)["complete"]
    between.instead = None
    assert phone.texts(ann, 200) == texts


def test_all_can_be_read_without_a_server(device, send, ann, bob, between):
    send(ann, bob, "one", "two")
    phone = device(bob, url=between.url).wait_refreshed()
    assert phone.texts(ann) == ["one", "two"]
    phone.end()
    between.instead = lambda handler: True
    phone = device(bob, url=between.url)
    assert phone.texts(ann) == ["one", "two"]
    conversations = phone.call("conversations")
    assert not conversations["fresh"]
    assert [(c["peer"], c["last_message"]["text"]) for c in conversations["items"]] == [(ann, "two")]


def test_pages_are_asked_for_by_messages_that_are_known(device, ann, bob):
    phone = device(bob).wait_refreshed()
    answer = phone.ask("get_messages", ann, "AQIBAQHOubjG2ZyYA0HreSU", 10)
    assert answer["error"] == "There is no such user or message."
    for limit in (0, 201, -1):
        assert phone.ask("get_messages", ann, None, limit)["error"] == "An argument is wrong."


def test_a_store_is_open_once(device, bob, tmp_path):
    phone = device(bob).wait_refreshed()
    second = device(bob)
    assert second.login_error == "The store is open elsewhere."
    phone.end()
    assert device(bob).login_error == "It is done."


def test_a_store_is_for_its_owner_alone(device, bob, tmp_path):
    device(bob, store=tmp_path / "store").wait_refreshed()
    files = list(tmp_path.glob("store*"))
    assert len(files) > 1 and {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_a_store_belongs_to_one_device_of_one_user(device, ann, bob, tmp_path):
    store = tmp_path / "store"
    device(bob, store=store).end()
    for other in (device(ann, store=store), device(bob, name="tablet", store=store)):
        assert other.login_error == "The store belongs to another user or device."
    (tmp_path / "rubbish").write_bytes(b"no database at all" * 100)
    assert device(bob, store=tmp_path / "rubbish").login_error.startswith("The store cannot")


def test_a_new_store_of_a_known_device_begins_where_the_device_was(device, send, ann, bob, tmp_path):
    send(ann, bob, "one")
    phone = device(bob, store=tmp_path / "first").wait_refreshed()
    phone.end()
    send(ann, bob, "two")
    phone = device(bob, store=tmp_path / "second").wait_refreshed()
    assert phone.texts(ann) == ["one", "two"]


def test_an_old_copy_of_a_store_catches_up(device, send, ann, bob, tmp_path):
    store = tmp_path / "store"
    send(ann, bob, "one")
    device(bob, store=store).wait_refreshed().end()
    (tmp_path / "copy").write_bytes(store.read_bytes())
    send(ann, bob, "two")
    phone = device(bob, store=store).wait_refreshed()
    phone.wait_told(ann, ["two"])
    phone.end()
    phone = device(bob, store=tmp_path / "copy").wait_refreshed()
    phone.wait_told(ann, ["two"])
    assert phone.texts(ann) == ["one", "two"]
