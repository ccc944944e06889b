"""What the vectors take for granted: their `given` in words, and what those before them have done."""

import re

# Vectors that are sent twice, and held to the second answer.
REPEATED = {"rate"}
# Members that differ from run to run, where the vector does not say so.
_TIME = {"MsgTime": "unix seconds", "Timestamp": "unix seconds"}
DYNAMIC = {
    "get_list": _TIME,
    "get_list_marks": {**_TIME, "TimeStamp": "number", "StartIndex": "number", "CompleteFlag": "number"},
    "search_contact_group": _TIME,
    "get_contact_group": _TIME,
    # There are no groups to be muted in.
    "getnospeaking": {"GroupmsgNospeakingTime": "number"},
}
# Vectors that need a server with settings of its own.
SERVERS = {
    "rate": {"DUET_BACKEND_RATE": 1, "DUET_BACKEND_BURST": 1},
    "caller_ip": {"DUET_V4_ADDRESSES": "192.0.2.1"},
}


def times_of(start):
    return start, start + 10, start + 20, start + 30


class World:
    """Sets up accounts and what is between them, through /v4 itself."""

    def __init__(self, v4, api, then, db):
        self.v4 = v4
        self.database = db.execute
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


def pinned_and_not(world):
    world.message("alice", "bob", 1, 1, 90, "x")
    world.send("carol", "alice")
    world.send("bob", "alice")
    world.api.patch("/v1/users/alice/conversations/bob", {"pinned": True})


def one_group(name, *members):
    def make(world):
        world.api.put(f"/v1/users/alice/conversation-groups/{name}")
        for member in members:
            patch = {"groups": [name], "marks": "1", "custom_mark": "vip"}
            assert world.api.patch(f"/v1/users/alice/conversations/{member}", patch).status == 200

    return make


def marked_and_written(world):
    one_group("office", "bob")(world)
    world.send("bob", "alice")


def extensible(world):
    world.v4.ok(
        "openim/sendmsg",
        {
            "From_Account": "alice",
            "To_Account": "bob",
            "MsgSeq": 93847636,
            "MsgRandom": 1287658,
            "SupportMessageExtension": 1,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "vote"}}],
        },
    )
    # It was sent when the vectors say.
    world.database("update duet.mailbox set sent_at = to_timestamp(%s) where client_id = '93847636_1287658'"
                   " and owner in (select user_no from duet.app_user where user_id in ('alice', 'bob'))",
                   [world.then + 5])


def extended(world):
    extensible(world)
    world.v4.ok("openim_msg_ext_http_svc/set_key_values", {
        "From_Account": "alice", "To_Account": "bob", "MsgKey": f"93847636_1287658_{world.then + 5}",
        "OperateType": 1, "ExtensionList": [{"Key": "vote_a", "Value": "alice", "Seq": 0},
                                            {"Key": "vote_b", "Value": "", "Seq": 0}]})


def less_extended(world):
    extended(world)
    world.v4.ok("openim_msg_ext_http_svc/set_key_values", {
        "From_Account": "alice", "To_Account": "bob", "MsgKey": f"93847636_1287658_{world.then + 5}",
        "OperateType": 2, "ExtensionList": [{"Key": "vote_b", "Seq": 1}]})


def profiles(world):
    world.v4.ok("profile/portrait_set", {"From_Account": "alice", "ProfileItem": [
        {"Tag": "Tag_Profile_IM_Nick", "Value": "Alice L."},
        {"Tag": "Tag_Profile_IM_BirthDay", "Value": 19950317},
        {"Tag": "Tag_Profile_IM_AllowType", "Value": "AllowType_Type_NeedConfirm"},
        {"Tag": "Tag_Profile_Custom_Test", "Value": "blue"}]})
    world.v4.ok("im_open_login_svc/account_import", {"UserID": "bob", "Nick": "Bob"})


def muted(world):
    world.v4.ok("openconfigsvr/setnospeaking",
                {"Set_Account": "mallory", "C2CmsgNospeakingTime": 4294967295})


SET_UP = {
    "portrait_get": profiles,
    "portrait_get_one_fails": profiles,
    "getnospeaking": muted,
    "get_list": pinned_and_not,
    "get_list_marks": marked_and_written,
    "update_contact_group_rename": one_group("work", "bob"),
    "update_contact_group_members": one_group("office", "bob"),
    "del_contact_group": one_group("office", "bob"),
    "search_contact_group": marked_and_written,
    "get_contact_group": marked_and_written,
    "set_key_values_set": extensible,
    "set_key_values_conflict": extended,
    "set_key_values_delete": extended,
    "set_key_values_clear": extended,
    "set_key_values_unsupported": four,
    "get_key_values": less_extended,

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
