"""What the vectors take for granted: their `given` in words, and what those before them have done."""

import datetime
import re

from support.archives import close_hour, hour_before, open_again, send_at

# Vectors that are sent twice, and held to the second answer.
REPEATED = {"rate"}
# Members that differ from run to run, where the vector does not say so.
_TIME = {"MsgTime": "unix seconds", "Timestamp": "unix seconds"}
_SEQUENCE = {"CurrentSequence": "number", "CurruentSequence": "number", "StandardSequence": "number",
             "CustomSequence": "number", "AddBlackTimeStamp": "unix seconds"}
_FILE = {"URL": "^http://.*/v4/files/[0-9]{10}[.]gz[?]", "FileMD5": "^[0-9a-f]{32}$", "GzipMD5": "^[0-9a-f]{32}$",
         "ExpireTime": "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$", "FileSize": "number",
         "GzipSize": "number"}
DYNAMIC = {
    "get_history": _FILE,
    **{name: _SEQUENCE for name in (
        "friend_get", "friend_get_unchanged", "black_list_get", "group_add_names_only",
        "group_add_with_friends", "group_delete", "group_get", "group_get_with_friends",
        "group_get_sdk_shapes")},
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
        self.connection = db
        self.made = set()
        self.api = api
        self.then = then

    NAMES = ("alice", "bob", "carol", "dave", "news", "mallory", "erin", "frank", "grace", "nobody")

    def make_accounts(self, vector):
        """Those that the vector names, as new as if nothing had been."""
        text = str(vector) + " alice bob"
        for name in self.NAMES:
            if re.search(rf"\b{name}\b", text):
                self.api.delete(f"/v1/users/{name}/hold")  # other tests have users of these names
                self.api.delete(f"/v1/users/{name}")
                self.made.add(name)
                if name != "nobody":
                    reply = self.api.put(f"/v1/users/{name}", {})
                    assert reply.status == 201, reply

    def there(self, name):
        return name in self.made and name != "nobody"

    def device(self, user, platform, **more):
        reply = self.api.put(f"/v1/users/{user}/devices/{platform}-1", {"platform": platform, **more})
        assert reply.status in (200, 201), reply

    def online(self, user):
        """With a stream that is open for a while, as one that waits has it."""
        self.device(user, "web")
        self.database(
            "insert into duet.stream (owner, device_id, stream_id, opened_at, open_until)"
            " select user_no, 'web-1', 1, now(), now() + interval '1 hour'"
            " from duet.app_user where user_id = %s", [user])

    def reachable(self, user, platform="ios"):
        self.device(user, platform, push={"vendor": "apple", "token": "t"})

    def setting(self, **values):
        """Until the end of the test."""
        for name, value in values.items():
            self.database(f"update duet.setting set {name} = %s", [value])

    def friend(self, user, peer, both=True, **side):
        body = {"one_way": not both, **side}
        assert self.api.put(f"/v1/users/{user}/friends/{peer}", body).status in (200, 201)

    def group(self, *names):
        for name in names:
            assert self.api.put(f"/v1/users/alice/friend-groups/{name}").status in (200, 201)

    def block(self, user, peer):
        assert self.api.put(f"/v1/users/{user}/blocks/{peer}").status in (200, 201)

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


def policies(world):
    world.api.patch("/v1/users/carol", {"friend_policy": "approval"})
    world.api.patch("/v1/users/dave", {"friend_policy": "nobody"})


def blocked(world):
    world.block("alice", "erin")
    world.block("frank", "alice")


def room_for_one_friend(world):
    world.setting(friends_per_user=1)


def bob_is_a_friend(world):
    world.friend("alice", "bob")


def all_groups(world):
    bob_is_a_friend(world)
    world.group(*(f"g{i}" for i in range(32)))


def friends(world):
    world.friend("alice", "bob")
    world.friend("alice", "carol")


def relations(world):
    world.friend("alice", "bob")
    if world.there("carol"):
        world.friend("alice", "carol", both=False)
    if world.there("dave"):
        world.friend("dave", "alice", both=False)


def blocks(world):
    for pair in (("alice", "bob"), ("bob", "alice"), ("alice", "carol"), ("dave", "alice")):
        if world.there(pair[0]) and world.there(pair[1]):
            world.block(*pair)


def details(world):
    world.group("School", "Chess")
    custom = {"im_add_source": "AddSource_Type_Web", "Test": "y"}
    world.friend("alice", "bob", remark="Bob B.", groups=["School", "Chess"], custom=custom)
    if world.there("carol"):
        world.friend("alice", "carol", custom={"im_add_source": "AddSource_Type_Old"})
    for i, peer in enumerate(("bob", "carol")):
        world.database(
            "update duet.contact set friend_since = to_timestamp(%s) from duet.app_user as o, duet.app_user as p"
            " where owner = o.user_no and peer = p.user_no and o.user_id = 'alice' and p.user_id = %s",
            [world.then + i, peer])
    world.api.patch("/v1/users/bob", {"nick": "Bob", "custom": {"Test": "green"}})


def details_of_two(world):
    world.api.put("/v1/users/carol", {})
    world.made.add("carol")
    details(world)


def frank_blocked(world):
    world.block("alice", "frank")


def room_for_one_block(world):
    world.setting(blocks_per_user=1)
    world.block("alice", "bob")


def erin_blocked(world):
    world.block("alice", "erin")


def two_blocked(world):
    erin_blocked(world)
    frank_blocked(world)


def grouped(world):
    world.api.put("/v1/users/carol", {})
    world.group("School", "Chess")
    world.friend("alice", "bob", groups=["School"])
    world.friend("alice", "carol", groups=["Chess"])


def on_devices(world):
    world.online("bob")
    world.reachable("carol")


def on_devices_in_detail(world):
    world.online("bob")
    world.reachable("bob", "ios")


def may_push(world):
    """No push has been before, and attributes have names."""
    world.database("delete from duet.notification")
    world.database("delete from duet.request_key")
    world.setting(attributes=["sex", "city", "level"])


def pushed(world):
    may_push(world)
    world.v4.ok("all_member_push/im_push", {
        "MsgRandom": 1, "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "x"}}]})


def pushed_all_day(world):
    pushed(world)
    world.database(
        "insert into duet.notification (sender, created_by, kind, options, store_seconds, elements, state,"
        " due_at, send_at, created_at)"
        " select sender, created_by, kind, options, store_seconds, elements, 'done', due_at, send_at,"
        " now() - interval '1 hour' from duet.notification, generate_series(1, 100)")
    world.database("delete from duet.notification where created_at > now() - interval '1 minute'")


def attributed(world):
    may_push(world)
    world.v4.ok("all_member_push/im_set_attr", {
        "UserAttrs": [{"To_Account": "alice", "Attrs": {"sex": "f", "city": "Kiel"}}]})


def tagged(world):
    world.v4.ok("all_member_push/im_add_tag", {
        "UserTags": [{"To_Account": "alice", "Tags": ["red", "blue"]}, {"To_Account": "bob", "Tags": ["red"]}]})


def hour_told(hour):
    """As get_history wants it, in China time."""
    return (hour + datetime.timedelta(hours=8)).strftime("%Y%m%d%H")


def closed_hour(world):
    hour = hour_before(3)
    open_again(world.connection, hour)
    send_at(world.connection, hour, [("alice", "bob")], ["Tea at four?"])
    close_hour(world.api, world.connection, hour)


SET_UP = {
    "get_history": closed_hour,
    **{name: may_push for name in (
        "im_push_all", "im_push_tags", "im_push_attrs", "im_push_nulls", "im_push_mixed", "im_push_same_tag",
        "im_set_attr", "im_set_attr_bad_name", "im_set_attr_go_shape", "im_set_attr_number_value",
        "im_get_attr_name", "im_remove_attr_bad_name")},
    "im_push_too_soon": pushed,
    "im_push_day_limit": pushed_all_day,
    "im_get_attr": attributed,
    "im_remove_attr": attributed,
    "im_get_tag": tagged,
    "im_remove_tag": tagged,
    "im_remove_all_tags": tagged,
    "friend_add_pending": policies,
    "friend_add_blocked": blocked,
    "friend_import_full_list": room_for_one_friend,
    "friend_update": bob_is_a_friend,
    "friend_update_groups_full": all_groups,
    "friend_delete_both": friends,
    "friend_delete_all": friends,
    "friend_check_both": relations,
    "friend_check_single": relations,
    "friend_check_one_fails": relations,
    "friend_get": details,
    "friend_get_unchanged": details_of_two,
    "friend_get_list": details,
    "black_list_add": frank_blocked,
    "black_list_add_full": room_for_one_block,
    "black_list_delete": erin_blocked,
    "black_list_get": two_blocked,
    "black_list_check_both": blocks,
    "black_list_check_single": blocks,
    "group_add_with_friends": bob_is_a_friend,
    "group_delete": grouped,
    "group_get": grouped,
    "group_get_with_friends": grouped,
    "group_get_sdk_shapes": grouped,
    "query_online_status": on_devices,
    "query_online_status_detail": on_devices_in_detail,
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


def as_last_read(world, request):
    answer = world.v4.ok("sns/friend_get", {"From_Account": "alice", "StartIndex": 0})
    return {**request, **{name: answer[name] for name in ("StandardSequence", "CustomSequence")}}


# Requests that hold what an earlier answer has told.
REQUESTS = {
    "friend_get_unchanged": as_last_read,
    "get_history": lambda world, request: {**request, "MsgTime": hour_told(hour_before(3))},
    "get_history_not_ready": lambda world, request: {**request, "MsgTime": hour_told(hour_before(0))},
}


def set_up(name, world):
    SET_UP.get(name, lambda world: None)(world)
