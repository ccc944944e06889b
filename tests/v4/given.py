"""What the vectors take for granted: their `given` in words, and what those before them have done."""

import re

# Vectors that are sent twice, and held to the second answer.
REPEATED = {"rate"}
# Members that differ from run to run, where the vector does not say so.
DYNAMIC = {}
# Vectors that need a server with settings of its own.
SERVERS = {
    "rate": {"DUET_BACKEND_RATE": 1, "DUET_BACKEND_BURST": 1},
    "caller_ip": {"DUET_V4_ADDRESSES": "192.0.2.1"},
}


def times_of(start):
    return start, start + 10, start + 20, start + 30


class World:
    """Sets up accounts and what is between them, through /v4 itself."""

    def __init__(self, v4, api, then):
        self.v4 = v4
        self.api = api
        self.then = then

    NAMES = ("alice", "bob", "carol", "dave", "news", "mallory", "erin", "frank", "nobody")

    def make_accounts(self, vector):
        """Those that the vector names, as new as if nothing had been."""
        text = str(vector) + " alice bob"
        for name in self.NAMES:
            if re.search(rf"\b{name}\b", text):
                self.api.delete(f"/v1/users/{name}")
                if name != "nobody":
                    assert self.api.put(f"/v1/users/{name}", {}).status == 201

    def message(self, sender, receiver, seq, random, seconds, text):
        """One of the past, `seconds` after the vectors' day began."""
        self.v4.ok(
            "openim/importmsg",
            {
                "SyncFromOldSystem": 2,
                "From_Account": sender,
                "To_Account": receiver,
                "MsgSeq": seq,
                "MsgRandom": random,
                "MsgTimeStamp": self.then + seconds,
                "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}],
            },
        )

    def four_messages(self):
        self.message("bob", "alice", 29, 9000, 60, "first")
        self.message("alice", "bob", 30, 9001, 70, "second")
        self.message("alice", "bob", 31, 9002, 80, "third")
        self.message("bob", "alice", 32, 9003, 90, "fourth")

    def send(self, sender, receiver, n=1, **more):
        for i in range(n):
            self.v4.ok(
                "openim/sendmsg",
                {
                    "From_Account": sender,
                    "To_Account": receiver,
                    "MsgRandom": i,
                    "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"{i}"}}],
                    **more,
                },
            )


def four(world):
    world.four_messages()


def first_recalled(world):
    world.four_messages()
    key = f"29_9000_{world.then + 60}"
    world.v4.ok(
        "openim/admin_msgwithdraw",
        {"From_Account": "bob", "To_Account": "alice", "MsgKey": key},
    )


def third_recalled(world):
    world.four_messages()
    key = f"31_9002_{world.then + 80}"
    world.v4.ok(
        "openim/admin_msgwithdraw",
        {"From_Account": "alice", "To_Account": "bob", "MsgKey": key},
    )


def twelve_unread(world):
    world.send("alice", "bob", 5)
    world.api.put("/v1/users/mallory", {})
    world.send("mallory", "bob", 7)


def five_unread(world):
    world.send("alice", "bob", 5)


SET_UP = {
    "admin_getroammsg_page1": four,
    "admin_getroammsg_page2": first_recalled,
    "admin_msgwithdraw": four,
    "admin_msgwithdraw_twice": third_recalled,
    "modify_c2c_msg": four,
    "modify_c2c_msg_data_only": four,
    "modify_c2c_msg_bad_element": four,
    "delete_c2c_msg_ramble": four,
    "c2c_msg_read_receipt": four,
    "get_c2c_unread_msg_num_all": twelve_unread,
    "get_c2c_unread_msg_num_peers": five_unread,
    "get_c2c_unread_msg_num_peer_missing": five_unread,
}


def set_up(name, world):
    SET_UP.get(name, lambda world: None)(world)
