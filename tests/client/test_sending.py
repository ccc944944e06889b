"""What is given to duet_send arrives once, in order, whatever happens on the way."""

import threading


def sent_ids(device):
    return [e["client_id"] for e in list(device.heard) if e["on"] == "event" and e["name"] == "sent"]


def test_two_devices_write_to_each_other(device, ann, bob):
    phone, laptop = device(ann).wait_refreshed(), device(bob).wait_refreshed()
    phone.send(bob, "Tea at four?")
    laptop.wait_told(ann, ["Tea at four?"])
    laptop.send(ann, "Gladly.")
    phone.wait_told(bob, ["Gladly."])
    phone.wait(lambda: sent_ids(phone), "the answer")
    laptop.wait(lambda: sent_ids(laptop), "the answer")
    assert phone.texts(bob) == laptop.texts(ann) == ["Tea at four?", "Gladly."]


def test_what_was_sent_is_told_with_its_client_id(device, ann, bob):
    phone = device(ann).wait_refreshed()
    client_id = phone.send(bob, "Tea?")
    sent = phone.wait_for("event", name="sent", client_id=client_id)
    assert (sent["message"]["text"], sent["message"]["outgoing"]) == ("Tea?", True)
    phone.wait_told(ann, ["Tea?"])
    assert phone.told[0]["id"] == sent["message_id"]


def test_calls_may_be_made_from_many_threads(device, ann, bob):
    phone, laptop = device(ann).wait_refreshed(), device(bob).wait_refreshed()
    calls = [["send", bob, f"message {i}"] for i in range(10)]
    calls += [["get_messages", bob, None, 10], ["conversations"], ["friends"]] * 4
    answers = phone.ask_at_once(*calls)
    assert {answer["error"] for answer in answers} == {"It is done."}
    laptop.wait(lambda: len(laptop.told) == 10, "ten messages")
    phone.wait(lambda: len(sent_ids(phone)) == len(phone.told) == 10, "ten copies")
    assert phone.texts(bob) == laptop.texts(ann) == laptop.told_from(ann)


def test_all_parts_of_a_message_arrive(device, ann, bob):
    phone, laptop = device(ann).wait_refreshed(), device(bob).wait_refreshed()
    phone.call(
        "send", bob, None, '[{"type":"emoji","index":3,"data":"tea"},{"type":"text","text":"🫖"}]', "thread-7"
    )
    laptop.wait_told(ann, ["🫖"])
    message = laptop.told[0]
    assert message["custom_data"] == "thread-7" and message["nick"] == "Ann"
    assert '"index":3' in message["elements"]


def test_wrong_arguments_are_refused_at_once(device, ann, bob):
    phone = device(ann)
    for arguments in (
        [None, "hi"],
        ["", "hi"],
        ["x" * 65, "hi"],
        [bob],
        [bob, "hi", "[]"],
        [bob, None, "{}"],
        [bob, None, "[1"],
        [bob, "hi", None, None, "[]"],
    ):
        assert phone.ask("send", *arguments)["error"] == "An argument is wrong."
    assert phone.ask("send", bob, "x" * 70000)["error"] == "It is longer than is allowed."


def test_a_refused_message_leaves_the_outbox_and_the_next_ones_go(device, ann, bob, user):
    phone, laptop = device(ann).wait_refreshed(), device(bob).wait_refreshed()
    laptop.call("block_add", ann)
    refused = phone.send(bob, "Are you there?")
    event = phone.wait_for("event", name="send_refused", client_id=refused)
    assert event["error"] == "The receiver has blocked the user."
    unknown = phone.send("nobody-" + bob, "Hello?")
    event = phone.wait_for("event", name="send_refused", client_id=unknown)
    assert event["error"] == "There is no such user or message."
    laptop.call("block_remove", ann)
    phone.wait_for("event", name="sent", client_id=phone.send(bob, "Again."))
    laptop.wait_told(ann, ["Again."])


def test_the_outbox_is_shown_above_the_messages(device, ann, bob, between):
    phone = device(ann, url=between.url).wait_refreshed()
    phone.wait_for("event", name="sent", client_id=phone.send(bob, "one"))
    phone.wait_told(ann, ["one"])
    between.instead = lambda handler: handler.command == "POST" and not handler.reply(503, b"")
    waiting = phone.send(bob, "two")
    items = phone.call("get_messages", bob, None, 10)["items"]
    assert [(m["text"], m["state"], m["client_id"]) for m in items] == [
        ("two", 0, waiting),
        ("one", 1, ""),
    ]
    between.instead = None
    phone.wait_for("event", name="sent", client_id=waiting)
    phone.wait_told(ann, ["one", "two"])
    assert phone.texts(bob) == ["one", "two"]


def test_what_cannot_be_sent_is_sent_after_a_restart(device, ann, bob, between):
    between.instead = lambda handler: True  # nobody answers
    phone = device(ann, url=between.url)
    texts = [f"message {i}" for i in range(20)]
    for text in texts:
        phone.send(bob, text)
    phone.kill()
    between.instead = None
    laptop = device(bob).wait_refreshed()
    device(ann)
    laptop.wait_told(ann, texts)


def test_an_answer_that_is_lost_makes_no_second_message(device, ann, bob, between):
    lost = []

    def lose_answers(handler):
        """The message is stored, and the connection closed instead of an answer."""
        if handler.command != "POST" or len(lost) == 5:
            return False
        lost.append(handler.body)
        handler.wfile = open("/dev/null", "wb")  # pylint: disable=consider-using-with
        return False

    phone = device(ann, url=between.url).wait_refreshed()
    between.instead = lose_answers
    texts = [f"message {i}" for i in range(8)]
    ids = [phone.send(bob, text) for text in texts]
    phone.wait(lambda: len(sent_ids(phone)) == len(texts), "all to be sent", timeout=60)
    assert len(lost) == 5
    assert sent_ids(phone) == ids
    laptop = device(bob).wait_refreshed()
    laptop.wait_told(ann, texts)
    assert phone.texts(bob) == texts


def test_a_killed_server_loses_doubles_and_reorders_nothing(
    device, ann, bob, user, start_server, server
):
    carol = user()
    own = start_server(DUET_USER_RATE=0)
    address = f"{own.host}:{own.port}"
    own.settings["DUET_LISTEN"] = address  # the next one is found where this one was
    phone = device(ann, on=own).wait_refreshed()
    texts = [f"message {i}" for i in range(150)]

    def kill_in_the_middle():
        phone.wait(lambda: len(sent_ids(phone)) > 40, "some messages to be sent")
        own.kill()
        own.start()

    killer = threading.Thread(target=kill_in_the_middle)
    killer.start()
    for text in texts:
        phone.send(bob, text)
        phone.send(carol, text)
    killer.join()
    phone.wait(lambda: len(sent_ids(phone)) == 2 * len(texts), "all to be sent", timeout=90)
    for receiver in (bob, carol):
        assert phone.texts(receiver, 200) == texts
        assert device(receiver).wait_refreshed().texts(ann, 200) == texts
