"""One world: what is done through one face is seen through the other. And who may do it."""

import http.client
import json
import pathlib
import time
import urllib.parse

import pytest

from support.server import run_duetd
from usersig import APP_ID, packed, usersig

ELEMENTS = json.loads((pathlib.Path(__file__).parent / "vectors/elements.json").read_text(encoding="utf-8"))


def elements(kind):
    return pytest.mark.parametrize("case", ELEMENTS[kind], ids=lambda case: case["name"])


TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "Tea at four?"}}]


def message(sender, receiver, random=1, body=None, **more):
    return {"From_Account": sender, "To_Account": receiver, "MsgRandom": random, "MsgBody": body or TEXT, **more}


def history(v4, pair, **more):
    window = {"MaxCnt": 100, "MinTime": 0, "MaxTime": int(time.time()) + 5}
    request = {"Operator_Account": pair[0], "Peer_Account": pair[1], **window, **more}
    return v4.ok("openim/admin_getroammsg", request)


def by_key(api, pair, key):
    return api.get(f"/v1/users/{pair[0]}/conversations/{pair[1]}/messages/{key}")


# ---- one world ----


def test_a_message_of_v4_is_read_through_v1_under_its_id_and_its_key(v4, api, pair):
    sent = v4.ok("openim/sendmsg", message(*pair, CloudCustomData="more", MsgSeq=7))
    assert sent["MsgKey"] == f"7_1_{sent['MsgTime']}"
    read = api.get(f"/v1/messages/{sent['MsgId']}").json
    assert (read["from"], read["to"], read["custom_data"]) == (*pair, "more")
    assert read["elements"] == [{"type": "text", "text": "Tea at four?"}]
    assert read["sent_by"] == "administrator"
    assert by_key(api, pair, sent["MsgKey"]).json["id"] == sent["MsgId"]
    (event,) = [one for one in api.get(f"/v1/users/{pair[1]}/events").json["items"] if one["kind"] == "message"]
    assert event["message"]["id"] == sent["MsgId"]


def test_a_message_of_v1_has_a_key_that_v4_takes(v4, api, pair):
    sent = api.post("/v1/messages", {"from": pair[0], "to": pair[1], "text": "hi"}).json
    (told,) = history(v4, pair)["MsgList"]
    assert told["MsgBody"] == [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hi"}}]
    assert by_key(api, pair, told["MsgKey"]).json["id"] == sent["id"]
    request = {"From_Account": pair[0], "To_Account": pair[1], "MsgKey": told["MsgKey"]}
    v4.ok("openim/admin_msgwithdraw", request)
    assert api.get(f"/v1/messages/{sent['id']}").json["state"] == "recalled"
    assert history(v4, pair)["MsgList"][0]["MsgFlagBits"] == 8


@elements("valid")
def test_an_element_comes_back_as_it_went(v4, api, pair, case):
    body = [case["element"]]
    sent = v4.ok("openim/sendmsg", message(*pair, body=body))
    assert history(v4, pair)["MsgList"][0]["MsgBody"] == body
    (element,) = api.get(f"/v1/messages/{sent['MsgId']}").json["elements"]
    assert element["type"] in ("text", "emoji", "location", "image", "audio", "file", "video", "custom")


@elements("older")
def test_elements_of_old_clients_are_imported_as_they_are(v4, pair, case):
    body = [case["element"]]
    v4.ok("openim/importmsg",
          {**message(*pair, body=body), "SyncFromOldSystem": 2, "MsgTimeStamp": int(time.time()) - 60})
    assert history(v4, pair)["MsgList"][0]["MsgBody"] == body


@elements("invalid")
def test_what_is_no_element_is_refused(v4, pair, case):
    body = case.get("body") or [case["element"]]
    assert v4.code("openim/sendmsg", message(*pair, body=body)) == case["error_code"]


def test_an_element_of_v1_may_not_pretend_to_be_one_of_v4(api, pair):
    element = {"type": "text", "text": "a", "original": {"Text": "b"}}
    reply = api.post("/v1/messages", {"from": pair[0], "to": pair[1], "elements": [element]})
    assert reply.status == 400 and reply.pointers == ["/elements/0/original"]


def test_what_is_sent_again_is_one_message_if_it_says_the_same(v4, pair):
    first = v4.ok("openim/sendmsg", message(*pair, MsgSeq=1))
    again = v4.ok("openim/sendmsg", message(*pair, MsgSeq=1))
    other = v4.ok("openim/sendmsg", message(*pair, MsgSeq=1, body=[
        {"MsgType": "TIMTextElem", "MsgContent": {"Text": "No, at five"}}]))
    assert again["MsgId"] == first["MsgId"] != other["MsgId"]
    assert [one["MsgBody"][0]["MsgContent"]["Text"] for one in history(v4, pair)["MsgList"]] == [
        "Tea at four?", "No, at five"]


def text_message(text):
    return [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]


def location(latitude):
    content = {"Desc": "x", "Latitude": latitude, "Longitude": 116.77497920478824}
    return [{"MsgType": "TIMLocationElem", "MsgContent": content}]


def test_whatever_says_something_else_with_the_same_numbers_is_kept(v4, pair):
    texts = ["x", "y", "z", "w", "y", "x"]
    sent = [v4.ok("openim/sendmsg", message(*pair, MsgSeq=1, body=text_message(text))) for text in texts]
    assert len({one["MsgKey"] for one in sent}) == 4
    assert (sent[4]["MsgId"], sent[5]["MsgId"]) == (sent[1]["MsgId"], sent[0]["MsgId"])
    keys, page = [], {"LastMsgKey": "", "LastMsgTime": int(time.time()) + 5, "Complete": 0}
    while not page["Complete"]:
        page = history(v4, pair, MaxCnt=1, MaxTime=page["LastMsgTime"], LastMsgKey=page["LastMsgKey"])
        keys += [one["MsgKey"] for one in page["MsgList"]]
    assert keys == [one["MsgKey"] for one in sent[3::-1]]


@pytest.mark.parametrize("latitude", [29.340656774469956, 30.0, 30, -0.1234567890123456])
def test_a_place_is_kept_as_it_was_sent_and_known_again(v4, pair, latitude):
    sent = [v4.ok("openim/sendmsg", message(*pair, body=location(latitude)))["MsgId"] for _ in range(2)]
    assert sent[0] == sent[1]
    assert history(v4, pair)["MsgList"][0]["MsgBody"] == location(latitude)


def test_numbers_that_come_again_later_name_a_message_of_their_own(v4, db, pair):
    """Its repeats are known, too, and the key that they make finds it."""
    first = v4.ok("openim/sendmsg", message(*pair, MsgSeq=1))
    db.execute(
        "update duet.mailbox set sent_at = sent_at - interval '121 seconds'"
        " where owner in (select user_no from duet.app_user where user_id = any (%s))",
        (list(pair),),
    )
    second, again = [v4.ok("openim/sendmsg", message(*pair, MsgSeq=1)) for _ in range(2)]
    assert second["MsgId"] == again["MsgId"] != first["MsgId"]
    assert second["MsgKey"] == f"1_1_{second['MsgTime']}"
    withdrawn = {"From_Account": pair[0], "To_Account": pair[1], "MsgKey": second["MsgKey"]}
    v4.ok("openim/admin_msgwithdraw", withdrawn)


def test_what_was_changed_since_is_still_the_same_message(v4, pair):
    first = v4.ok("openim/sendmsg", message(*pair, MsgSeq=1))
    change = {"From_Account": pair[0], "To_Account": pair[1], "MsgKey": first["MsgKey"]}
    v4.ok("openim/modify_c2c_msg", {**change, "MsgBody": text_message("At five")})
    assert v4.ok("openim/sendmsg", message(*pair, MsgSeq=1))["MsgId"] == first["MsgId"]


def test_a_request_without_a_sequence_is_known_again(v4, pair):
    first = v4.ok("openim/sendmsg", message(*pair))
    assert v4.ok("openim/sendmsg", message(*pair))["MsgId"] == first["MsgId"]
    assert v4.ok("openim/sendmsg", message(*pair, random=2))["MsgId"] != first["MsgId"]


def test_importing_again_changes_nothing(v4, pair):
    request = {**message(*pair), "SyncFromOldSystem": 2, "MsgTimeStamp": int(time.time()) - 60}
    for _ in range(2):
        v4.ok("openim/importmsg", request)
    assert history(v4, pair)["MsgCnt"] == 1


def test_pages_split_messages_of_one_second_without_loss(v4, pair):
    at = int(time.time()) - 600
    for i in range(7):
        v4.ok("openim/importmsg", {**message(*pair, random=i), "SyncFromOldSystem": 2, "MsgTimeStamp": at})
    keys, page = [], {"LastMsgKey": "", "LastMsgTime": at, "Complete": 0}
    while not page["Complete"]:
        page = history(v4, pair, MaxCnt=3, MinTime=at, MaxTime=page["LastMsgTime"], LastMsgKey=page["LastMsgKey"])
        keys = [one["MsgKey"] for one in page["MsgList"]] + keys
    assert keys == [f"0_{i}_{at}" for i in range(7)]


def test_a_batch_has_one_key_for_all(v4, api, pair):
    sent = v4.ok("openim/batchsendmsg", {**message("administrator", None), "To_Account": [*pair, pair[0]]})
    for name in pair:
        assert by_key(api, ("administrator", name), sent["MsgKey"]).status == 200


def test_options_are_those_of_v1(v4, api, pair):
    v4.ok("openim/sendmsg", message(*pair, SyncOtherMachine=2, SendMsgControl=["NoUnread", "NoLastMsg"]))
    assert history(v4, pair)["MsgList"] == []
    assert api.get(f"/v1/users/{pair[1]}/unread").json["total"] == 0
    assert api.get(f"/v1/users/{pair[1]}/conversations").json["items"] == []


def test_push_info_is_kept_with_the_message(v4, db, pair):
    info = {"Title": "T", "Desc": "D", "AndroidInfo": {"Sound": "ding.mp3"}}
    v4.ok("openim/sendmsg", message(*pair, OfflinePushInfo=info))
    (push,) = db.execute(
        "select push from duet.mailbox as m join duet.app_user as u on u.user_no = m.owner"
        " where u.user_id = %s and push is not null", [pair[1]]).fetchone()
    assert json.loads(push) == {"title": "T", "body": "D", "vendor": info}


def test_reading_is_seen_by_both(v4, api, pair):
    sent = v4.ok("openim/sendmsg", message(*pair))
    assert v4.ok("openim/get_c2c_unread_msg_num", {"To_Account": pair[1]})["AllC2CUnreadMsgNum"] == 1
    info = {"From_Account": pair[0], "To_Account": pair[1], "MsgKey": sent["MsgKey"]}
    v4.ok("openim/c2c_msg_read_receipt",
          {"Operator_Account": pair[1], "Peer_Account": pair[0], "C2CMsgInfo": [info]})
    assert history(v4, pair)["MsgList"][0]["IsPeerRead"] == 1
    assert api.get(f"/v1/users/{pair[1]}/unread").json["total"] == 0


def test_profiles_and_relations_are_one(v4, api, pair):
    v4.ok("profile/portrait_set", {"From_Account": pair[0], "ProfileItem": [
        {"Tag": "Tag_Profile_IM_BirthDay", "Value": 19950317}, {"Tag": "Tag_Profile_Custom_Team", "Value": "blue"}]})
    user = api.get(f"/v1/users/{pair[0]}").json
    assert user["birthday"] == "1995-03-17" and user["custom"] == {"Team": "blue"}
    v4.ok("im_open_login_svc/account_import", {"UserID": pair[0], "Nick": "Eve"})
    user = api.get(f"/v1/users/{pair[0]}").json
    assert user["nick"] == "Eve" and user["birthday"] == "1995-03-17"
    v4.ok("sns/friend_add", {"From_Account": pair[0], "AddFriendItem": [
        {"To_Account": pair[1], "AddSource": "AddSource_Type_Web"}]})
    assert api.get(f"/v1/users/{pair[1]}/friends/{pair[0]}").json["mutual"]
    v4.ok("sns/black_list_add", {"From_Account": pair[0], "To_Account": [pair[1]]})
    assert api.get(f"/v1/users/{pair[1]}/friends/{pair[0]}").status == 404
    assert api.get(f"/v1/users/{pair[0]}/blocks/{pair[1]}").status == 200


def test_names_with_slashes_are_taken_shown_and_taken_away(v4, api, pair):
    """There they may hold any character, and stand in bodies alone. /v1 shows them, and loses none of them."""
    ann, bob = pair
    v4.ok("recentcontact/create_contact_group", {"From_Account": ann, "GroupContactItem": [
        {"GroupName": "g/1", "ContactItem": [{"Type": 1, "To_Account": bob}]}]})
    v4.ok("recentcontact/update_contact_group", {"From_Account": ann, "UpdateType": 1, "UpdateGroup": {
        "UpdateGroupType": 1, "OldGroupName": "g/1", "NewGroupName": "g\\2"}})
    v4.ok("sns/friend_import", {"From_Account": ann, "AddFriendItem": [
        {"To_Account": bob, "AddSource": "AddSource_Type_Old", "GroupName": ["a/b"]}]})
    v4.ok("all_member_push/im_add_tag", {"UserTags": [{"To_Account": ann, "Tags": ["c/d", "e/f"]}]})

    mine = f"/v1/users/{ann}"
    assert [group["name"] for group in api.get(f"{mine}/conversation-groups").json["items"]] == ["g\\2"]
    assert api.patch(f"{mine}/conversations/{bob}", {"groups": ["g\\2"]}).json["groups"] == ["g\\2"]
    assert [group["name"] for group in api.get(f"{mine}/friend-groups").json["items"]] == ["a/b"]
    assert api.get(f"{mine}/friends", params={"group": "a/b"}).json["items"][0]["peer"] == bob
    assert api.patch(f"{mine}/friends/{bob}", {"groups": ["a/b"]}).json["groups"] == ["a/b"]
    assert {one["tag"] for one in api.get(f"{mine}/tags").json["items"]} == {"c/d", "e/f"}

    assert api.post("/v1/tags", {"changes": [{"user": ann, "remove": ["c/d"]}]}).status == 200
    v4.ok("all_member_push/im_remove_tag", {"UserTags": [{"To_Account": ann, "Tags": ["e/f"]}]})
    v4.ok("recentcontact/del_contact_group", {"From_Account": ann, "GroupName": ["g\\2"]})
    v4.ok("sns/group_delete", {"From_Account": ann, "GroupName": ["a/b"]})
    for what in ("tags", "conversation-groups", "friend-groups"):
        assert api.get(f"{mine}/{what}").json["items"] == []


def test_all_is_in_the_audit_under_the_administrator(v4, api, pair):
    v4.ok("openconfigsvr/setnospeaking", {"Set_Account": pair[0], "C2CmsgNospeakingTime": 60})
    entry = api.get("/v1/audit", params={"limit": 1}).json["items"][0]
    assert (entry["subject"], entry["operation"]) == ("administrator", "user_mute")
    assert entry["resource"] == "/v4/openconfigsvr/setnospeaking"


# ---- who may ----


def test_kicking_makes_signatures_void(v4_of, start_server, v4_settings, pair):
    v4 = v4_of(start_server(env={**v4_settings, "DUET_V4_ADMINS": "administrator, kicked"}))
    query = {name: v4.query("kicked", usersig("kicked", made_at=int(time.time()) + later))
             for name, later in (("old", -10), ("new", 2))}
    assert v4.code("openim/sendmsg", message(*pair), query=query["old"]) == 0
    v4.ok("im_open_login_svc/kick", {"UserID": "kicked"})
    assert v4.code("openim/sendmsg", message(*pair), query=query["old"]) == 70001
    assert v4.code("openim/get_c2c_unread_msg_num", {"To_Account": pair[0]}, query=query["old"]) == 70001
    assert v4.code("openim/sendmsg", message(*pair), query=query["new"]) == 0


def bomb():
    return packed(b" " * 10_000_000)


@pytest.mark.parametrize(
    "signature, number",
    [
        (usersig("administrator")[:-8], 70003),
        (usersig("administrator")[:40], 70003),
        ("A" * 1500, 70003),
        (bomb()[: 1400 // 4 * 4], 70003),
        (packed(b'{"TLS.ver":"2.0"}'), 70003),
        (packed(b"[]"), 70003),
        (usersig("administrator", key="0" * 64), 70009),
        (usersig("administrator", app_id=APP_ID + 1), 70014),
        (usersig("administrator", made_at=int(time.time()) + 4000), 70003),
    ],
    ids=["cut", "short", "long", "bomb", "empty", "list", "key", "app", "ahead"],
)
def test_a_signature_that_is_not_good_has_its_number_at_once(v4, signature, number):
    begun = time.monotonic()
    assert v4.code("openim/sendmsg", {}, query=v4.query(signature=signature)) == number
    assert time.monotonic() - begun < 1


def test_a_good_signature_may_be_spelled_with_escapes(v4):
    query = v4.query()
    text = "&".join(f"{name}={value}" for name, value in query.items()).replace("*", "%2A")
    assert v4.code("ConfigSvc/GetIPList", {}, query=text) == 0
    assert v4.code("ConfigSvc/GetIPList", {}, query=text) == 0  # random is the same


def test_without_its_settings_it_is_off_and_says_so(v4_of, server):
    assert v4_of(server).code("openim/sendmsg", {}) == 60016


def test_one_setting_alone_is_refused(cluster, keys_file):
    done = run_duetd("serve", DUET_V4_APP_ID=APP_ID, DUET_KEYS_FILE=keys_file, DUET_LISTEN="127.0.0.1:0",
                     DUET_DATABASE_URL=cluster.url("duet_server"))
    assert done.returncode == 1 and "DUET_V4_KEY_FILE" in done.stderr


@pytest.mark.parametrize("n, says", [(16, False), (17, True)])
def test_more_administrators_than_there_is_room_for_are_refused(cluster, keys_file, v4_settings, n, says):
    """What follows the settings fails here in any case: there is no such address to listen on."""
    done = run_duetd("serve", **v4_settings, DUET_KEYS_FILE=keys_file, DUET_LISTEN="192.0.2.1:1",
                     DUET_DATABASE_URL=cluster.url("duet_server"),
                     DUET_V4_ADMINS=",".join(f"admin-{i}" for i in range(n)))
    assert done.returncode == 1 and ("DUET_V4_ADMINS" in done.stderr) == says


# ---- corners, as docs/migrating.md tells them ----


@pytest.mark.parametrize("path, request_, number", [
    ("openim/SendMsg", {}, 60009),
    ("OpenIM/sendmsg", {}, 60009),
    ("openim/sendmsg", {"MsgBody": []}, 90002),
    ("openim/sendmsg", {"MsgBody": [{"MsgType": "TIMRelayElem", "MsgContent": {"Text": "x"}}]}, 90010),
    ("openim/sendmsg", {"From_Account": "Eve"}, 20003),
    ("openim/sendmsg", {"To_Account": "nobody-at-all"}, 90012),
    ("openim/modify_c2c_msg", {"MsgKey": "1_1_1"}, 20001),
    ("openim/admin_getroammsg",
     {"Operator_Account": "nobody-at-all", "Peer_Account": "eve", "MaxCnt": 1, "MinTime": 0, "MaxTime": 1}, 90048),
], ids=str)
def test_a_corner_has_its_number(v4, pair, path, request_, number):
    assert v4.code(path, {**message(*pair), **request_}) == number


def test_to_change_nothing_of_a_message_is_refused(v4, pair):
    key = v4.ok("openim/sendmsg", message(*pair))["MsgKey"]
    assert v4.code("openim/modify_c2c_msg", {"From_Account": pair[0], "To_Account": pair[1], "MsgKey": key}) == 20001


def test_an_earlier_read_mark_moves_nothing_back_and_a_recall_is_unread_no_more(v4, pair):
    def unread():
        return v4.ok("openim/get_c2c_unread_msg_num", {"To_Account": pair[1]})["AllC2CUnreadMsgNum"]

    v4.ok("openim/sendmsg", message(*pair))
    for until in (int(time.time()), 1):
        v4.ok("openim/admin_set_msg_read", {"Report_Account": pair[1], "Peer_Account": pair[0], "MsgReadTime": until})
        assert unread() == 0
    key = v4.ok("openim/sendmsg", message(*pair, random=2))["MsgKey"]
    assert unread() == 1
    v4.ok("openim/admin_msgwithdraw", {"From_Account": pair[0], "To_Account": pair[1], "MsgKey": key})
    assert unread() == 0


@pytest.mark.parametrize("name", ["x" * 65, "a\nb", "nobody-at-all"])
@pytest.mark.parametrize("detail", [0, 1])
def test_a_name_that_none_could_have_fails_alone(v4, pair, name, detail):
    both = {"From_Account": pair[0], "To_Account": [pair[1], name]}
    for path, more, number in (("sns/friend_check", {"CheckType": "CheckResult_Type_Both"}, 30003),
                               ("sns/friend_delete", {}, 30003), ("openim/query_online_status", {"IsNeedDetail": detail}, 70107),
                               ("openim/batchsendmsg", {"MsgRandom": 1, "MsgBody": TEXT}, 70107)):
        answer = v4.ok(path, {**both, **more})
        results = answer.get("ErrorList") or answer.get("InfoItem") or answer.get("ResultItem")
        assert [one.get("ResultCode", one.get("ErrorCode")) for one in results if one["To_Account"] == name] == [number], path
    for path in ("sns/friend_add", "sns/friend_import"):
        items = [{"To_Account": one, "AddSource": "AddSource_Type_Web"} for one in both["To_Account"]]
        answer = v4.ok(path, {"From_Account": pair[0], "AddFriendItem": items})
        assert answer["Fail_Account"] == [name], path
    assert v4.ok("sns/black_list_add", both)["Fail_Account"] == [name]
    unread = v4.ok("openim/get_c2c_unread_msg_num", {"To_Account": pair[0], "Peer_Account": [name, pair[1]]})
    assert unread["ErrorList"] == [{"Peer_Account": name, "ErrorCode": 70107}]
    assert [one["Peer_Account"] for one in unread["C2CUnreadMsgNumList"]] == [pair[1]]
    profiles = v4.ok("profile/portrait_get", {"To_Account": both["To_Account"], "TagList": ["Tag_Profile_IM_Nick"]})
    assert [one["ResultCode"] for one in profiles["UserProfileItem"]] == [0, 40003]
    assert profiles["Fail_Account"] == [name]


@pytest.mark.parametrize("name", ["x" * 65, "a\nb", "nobody-at-all"])
def test_an_account_that_none_could_have_is_none(v4, pair, name):
    listed = [{"UserID": one} for one in (name, pair[1])]
    checked = v4.ok("im_open_login_svc/account_check", {"CheckItem": listed})["ResultItem"]
    assert [(one["ResultCode"], one["AccountStatus"]) for one in checked] == [(0, "NotImported"), (0, "Imported")]
    deleted = v4.ok("im_open_login_svc/account_delete", {"DeleteItem": listed})["ResultItem"]
    assert [one["ResultCode"] for one in deleted] == [70107, 0]


@pytest.mark.parametrize("name", ["x" * 65, "nobody-at-all"])
@pytest.mark.parametrize("path, kind, list_of", [
    ("sns/friend_check", "CheckResult_Type_Both", "InfoItem"),
    ("sns/black_list_check", "BlackCheckResult_Type_Both", "BlackListCheckItem"),
])
def test_nobody_but_such_a_name_may_be_asked_about(v4, pair, name, path, kind, list_of):
    answer = v4.ok(path, {"From_Account": pair[0], "To_Account": [name], "CheckType": kind})
    assert [one["To_Account"] for one in answer[list_of]] == [name]


def test_an_empty_list_of_accounts_is_none(v4, api, pair):
    api.delete(f"/v1/users/{pair[0]}")
    answer = v4.ok("im_open_login_svc/multiaccount_import", {"Accounts": [], "AccountList": [{"UserID": pair[0]}]})
    assert answer["FailAccounts"] == [] and api.get(f"/v1/users/{pair[0]}").status == 200


def test_a_level_may_be_any_number_and_no_own_field_has_its_place(v4, api, pair):
    def put(*items):
        return v4.code("profile/portrait_set", {"From_Account": pair[0], "ProfileItem": [
            {"Tag": tag, "Value": value} for tag, value in items]})

    assert put(("Tag_Profile_IM_Level", 4294967295), ("Tag_Profile_IM_Role", 7)) == 0
    assert api.get(f"/v1/users/{pair[0]}").json["level"] == 4294967295
    assert put(("Tag_Profile_Custom_im_role", "8")) == 40009
    told = v4.ok("profile/portrait_get", {"To_Account": [pair[0]], "TagList": ["Tag_Profile_IM_Level", "Tag_Profile_IM_Role"]})
    assert [one["Value"] for one in told["UserProfileItem"][0]["ProfileItem"]] == [4294967295, 7]


def test_all_that_is_marked_or_in_a_group_is_told_however_much_that_is(v4, api, pair):
    """Nobody has written to any of them."""
    peers = [f"marked-{i:03}" for i in range(250)]
    for i in range(0, 250, 100):
        chunk = peers[i : i + 100]
        assert api.post("/v1/users", {"users": [{"id": peer} for peer in chunk]}).status == 200
        v4.ok("recentcontact/mark_contact", {"From_Account": pair[0], "MarkItem": [
            {"OptType": 1, "ContactItem": {"Type": 1, "To_Account": peer}, "SetMark": [1]} for peer in chunk]})
    v4.ok("recentcontact/create_contact_group", {"From_Account": pair[0], "GroupContactItem": [
        {"GroupName": "office", "ContactItem": [{"Type": 1, "To_Account": pair[1]}]}]})
    told = v4.ok("recentcontact/get_contact_group", {"From_Account": pair[0], "StartIndex": 0})
    groups = {one["To_Account"]: one["ContactGroupId"] for one in told["ContactItem"]}
    assert groups == {**{peer: [] for peer in peers}, pair[1]: [1]}
    assert len(told["ContactItem"]) == 251 and told["CompleteFlag"] == 1


@pytest.mark.parametrize("n", [200, 254, 255, 256])
def test_what_is_quoted_in_an_error_is_cut_at_a_character(v4, pair, n):
    for tag in ("é" * n, "x" + "é" * n, "😀" * n):
        answer = v4.post("profile/portrait_get", {"To_Account": [pair[0]], "TagList": [tag]})
        assert answer["ErrorCode"] == 40009 and answer["ErrorInfo"].startswith(tag[:60])


def test_when_each_of_a_batch_failed_the_call_is_good(v4, pair):
    answer = v4.ok("sns/friend_delete", {"From_Account": pair[0], "To_Account": ["nobody-at-all"]})
    assert answer["Fail_Account"] == ["nobody-at-all"]
    assert v4.ok("im_open_login_svc/multiaccount_import", {"Accounts": [pair[0]]})["FailAccounts"] == []


# ---- as SDKs have it ----


@pytest.mark.parametrize("path", ["openim/nothing", "group_open_http_svc/create_group", "openim/sendmsg/more", "x"])
def test_what_is_not_there_is_answered_with_200(v4, path):
    assert v4.code(path, {}) == 60009


@pytest.mark.parametrize("body", ["{", "[]", "null", "{} {}", '{"a": 1, "a": 2}', "[" * 100])
def test_what_is_no_object_is_answered_with_200(v4, body):
    assert v4.code("openim/sendmsg", raw=body) == 90001
    assert v4.code("profile/portrait_get", raw=body) == 60003


def test_a_body_that_is_too_large_is_answered_with_200(v4):
    assert v4.code("openim/sendmsg", raw=json.dumps({"x": "x" * (1 << 20)})) == 93000


def test_an_expected_continue_is_answered(v4, v4_server):
    connection = http.client.HTTPConnection(v4_server.host, v4_server.port, timeout=10)
    connection.putrequest("POST", "/v4/ConfigSvc/GetIPList?" + urllib.parse.urlencode(v4.query()))
    for name, value in (("Content-Type", "application/json"), ("Content-Length", "2"), ("Expect", "100-continue")):
        connection.putheader(name, value)
    connection.endheaders(b"{}")
    assert json.loads(connection.getresponse().read())["ErrorCode"] == 0
    connection.close()


def test_unknown_members_are_passed_over(v4, pair):
    assert v4.code("openim/sendmsg", message(*pair, NewIn2030={"a": [1]})) == 0
