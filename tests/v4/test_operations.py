"""open_msg_svc, openconfigsvr/getappinfo, ConfigSvc, and who is online: what the app's operators ask for."""

import datetime
import gzip
import hashlib
import hmac
import json
import re
import time
import urllib.error
import urllib.request

import pytest

import given
from support.archives import close_hour, hour_before, open_again, send_at
from usersig import KEY

HISTORY = "open_msg_svc/get_history"


@pytest.fixture
def hour_of(api, db):
    """Closes an hour of the past with these texts of one user to another; how it is asked for."""

    def make(sender, receiver, *texts, before=3):
        hour = hour_before(before)
        open_again(db, hour)
        if texts:
            send_at(db, hour, [(sender, receiver)] * len(texts), list(texts))
        close_hour(api, db, hour)
        return {"ChatType": "C2C", "MsgTime": given.hour_told(hour)}

    return make


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


# ---- hourly files ----


def test_an_hour_is_a_file_of_the_published_shape(v4, api, ann, bob, hour_of):
    hour = hour_of(ann, bob, "Tea at four?", "No, at \"five\"\n…")
    (file,) = v4.ok(HISTORY, hour)["File"]
    status, packed = fetch(file["URL"])
    plain = gzip.decompress(packed)
    assert status == 200
    assert (len(packed), hashlib.md5(packed).hexdigest()) == (file["GzipSize"], file["GzipMD5"])
    assert (len(plain), hashlib.md5(plain).hexdigest()) == (file["FileSize"], file["FileMD5"])
    lines = plain.decode().splitlines()
    assert json.loads(lines[0] + "]}") == {
        "SdkAppId": 1400000001, "ChatType": "C2C", "MsgTime": hour["MsgTime"], "MsgList": []}
    assert lines[-1] == "]}" and not lines[-2].endswith(",") and all(line.endswith(",") for line in lines[1:-2])
    told = [json.loads(line.rstrip(",")) for line in lines[1:-1]]
    assert json.loads(plain)["MsgList"] == told
    told = [one for one in told if one["From_Account"] == ann]  # others have written in that hour, too
    keys = {item["key"] for item in api.get(
        f"/v1/users/{ann}/messages", params={"peer": bob, "verbose": "true"}).json["items"]}
    assert {"_".join(str(one[name]) for name in ("MsgSeq", "MsgRandom", "MsgTimestamp")) for one in told} == keys
    assert [(one["From_Account"], one["To_Account"], one["MsgBody"]) for one in told] == [
        (ann, bob, [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}])
        for text in ("Tea at four?", "No, at \"five\"\n…")]


def test_a_file_is_the_same_each_time_and_on_each_server(v4, v4_of, start_server, v4_settings, ann, bob, hour_of):
    hour = hour_of(ann, bob, *(f"message {i}" for i in range(3000)))
    files = [one.ok(HISTORY, hour)["File"][0] for one in (v4, v4, v4_of(start_server(env=v4_settings)))]
    told = [{name: file[name] for name in ("FileSize", "FileMD5", "GzipSize", "GzipMD5")} for file in files]
    assert told[0] == told[1] == told[2]
    assert len({fetch(file["URL"])[1] for file in files}) == 1


def test_what_was_recalled_before_the_hour_closed_is_not_in_its_file(v4, api, db, ann, bob):
    hour = hour_before(3)
    open_again(db, hour)
    send_at(db, hour, [(ann, bob)] * 2, ["secret", "kept"])
    items = api.get(f"/v1/users/{ann}/messages", params={"peer": bob}).json["items"]
    (secret,) = [item for item in items if item["elements"][0]["text"] == "secret"]
    assert api.delete(f"/v1/messages/{secret['id']}").status == 200
    close_hour(api, db, hour)
    (file,) = v4.ok(HISTORY, {"ChatType": "C2C", "MsgTime": given.hour_told(hour)})["File"]
    plain = gzip.decompress(fetch(file["URL"])[1])
    assert b"kept" in plain and b"secret" not in plain


def test_a_link_lives_an_hour_and_says_so_in_china_time(v4, ann, bob, hour_of):
    (file,) = v4.ok(HISTORY, hour_of(ann, bob, "x"))["File"]
    expires = int(re.search(r"expires=(\d+)", file["URL"])[1])
    assert 3590 <= expires - time.time() <= 3601
    zone = datetime.timezone(datetime.timedelta(hours=8))
    assert file["ExpireTime"] == datetime.datetime.fromtimestamp(expires, zone).strftime("%Y-%m-%d %H:%M:%S")


def signed(url, **changes):
    """The link with other values, signed as the server does."""
    values = dict(re.findall(r"(\w+)=(\w+)", url), file=re.search(r"files/(\w+)", url)[1], **changes)
    text = "file:{file}\nbytes:{bytes}\nexpires:{expires}\n".format(**values)
    signature = hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
    base = url.split("/files/")[0]
    return f"{base}/files/{values['file']}.gz?bytes={values['bytes']}&expires={values['expires']}&signature={signature}"


def test_a_link_that_was_changed_or_has_expired_is_refused_by_its_status(v4, ann, bob, hour_of):
    (file,) = v4.ok(HISTORY, hour_of(ann, bob, "x"))["File"]
    url = file["URL"]
    assert signed(url) == url
    for wrong in (url.replace("expires=", "expires=9"), url.replace("bytes=", "bytes=1"),
                  re.sub(r"files/\d{9}", "files/202601010", url), url[:-1] + ("0" if url[-1] != "0" else "1"),
                  url[:-64] + "0" * 64):
        status, body = fetch(wrong)
        assert status == 403 and json.loads(body)["code"] == "forbidden", wrong
    status, body = fetch(signed(url, expires=int(time.time()) - 1))
    assert status == 403 and "expired" in json.loads(body)["detail"]
    assert fetch(url.split("&signature")[0])[0] == 400
    assert fetch(url.replace(".gz?", ".tar.gz?"))[0] == 404
    assert fetch(url)[0] == 200


def test_links_begin_with_the_address_that_is_set(v4_of, start_server, v4_settings, ann, bob, hour_of):
    hour = hour_of(ann, bob, "x")
    v4 = v4_of(start_server(env={**v4_settings, "DUET_V4_URL": "https://chat.example.org"}))
    (file,) = v4.ok(HISTORY, hour)["File"]
    assert file["URL"].startswith(f"https://chat.example.org/v4/files/{hour['MsgTime']}.gz?")


def test_an_hour_without_messages_has_no_file(v4, ann, bob, hour_of):
    hour = hour_of(ann, bob, before=6)
    assert [v4.code(HISTORY, hour) for _ in range(2)] == [1004, 1004]


@pytest.mark.parametrize("request_, number", [
    ({"MsgTime": "2026010108"}, 1002),
    ({"ChatType": "Group", "MsgTime": "2026010108"}, 1002),
    ({"ChatType": "C2C"}, 1002),
    ({"ChatType": "C2C", "MsgTime": "2026013208"}, 1002),
    ({"ChatType": "C2C", "MsgTime": "2026010124"}, 1002),
    ({"ChatType": "C2C", "MsgTime": "20260101"}, 1002),
    ({"ChatType": "C2C", "MsgTime": "202601010a"}, 1002),
    ({"ChatType": "C2C", "MsgTime": "2020010100"}, 1005),
], ids=str)
def test_what_is_no_hour_has_its_number(v4, request_, number):
    assert v4.code(HISTORY, request_) == number


# ---- numbers ----


def test_numbers_are_told_day_by_day_newest_first(v4, api, db, ann, bob, hour_of):
    hour_of(ann, bob, "one", "two")
    db.execute(
        "insert into duet.archive (hour, closed_at, messages, bytes, sha256, gzip_bytes, gzip_sha256)"
        " select date_trunc('day', now(), 'UTC') - interval '20 days' + n * interval '1 hour', now(), 21, 1, '', 1, ''"
        " from generate_series(1, 2) as n on conflict do nothing")
    days = v4.ok("openconfigsvr/getappinfo")["Result"]
    dates = [day["Date"] for day in days]
    assert dates == sorted(dates, reverse=True) and len(set(dates)) == len(dates) <= 30
    now = datetime.datetime.now(datetime.timezone.utc)
    assert dates[0] == now.strftime("%Y%m%d")
    stats = api.get("/v1/stats").json
    assert {day["Date"]: day["C2CUpMsgNum"] for day in days if day["C2CUpMsgNum"] != "0"} == {
        one["day"].replace("-", ""): str(one["messages"]) for one in stats["messages_by_day"] if one["messages"]}
    old = [day for day in days if day["Date"] == (now - datetime.timedelta(days=20)).strftime("%Y%m%d")]
    assert [day["UpMsgNum"] for day in old] == ["42"]
    assert [days[0]["RegistUserNumTotal"], days[-1]["RegistUserNumTotal"]] == [str(stats["users"]), "0"]


def test_only_the_numbers_asked_for_are_told(v4):
    for day in v4.ok("openconfigsvr/getappinfo", {"RequestField": ["AppId", "MaxOnlineNum", "NewIn2030"]})["Result"]:
        assert day.keys() == {"Date", "AppId", "MaxOnlineNum"} and day["AppId"] == "1400000001"


# ---- who is online ----


def test_a_kick_ends_sessions_and_tokens_of_the_account(v4, api, ann):
    mine = api.as_user(ann)
    assert mine.get(f"/v1/users/{ann}").status == 200
    v4.ok("im_open_login_svc/kick", {"Identifier": ann})
    assert mine.get(f"/v1/users/{ann}").status == 401
    assert v4.code("im_open_login_svc/kick", {"UserID": "nobody-at-all"}) == 70107


def test_of_those_asked_about_the_unknown_are_listed_apart(v4, world, ann, bob, user):
    carol = user()
    world.online(ann)
    world.reachable(bob, "ios")
    world.reachable(bob, "android")
    for detail in (0, 1):
        answer = v4.ok("openim/query_online_status",
                       {"To_Account": [bob, "nobody-at-all", ann, carol], "IsNeedDetail": detail})
        assert answer["ErrorList"] == [{"To_Account": "nobody-at-all", "ErrorCode": 70107}]
        assert [(one["To_Account"], one["Status"]) for one in answer["QueryResult"]] == [
            (bob, "PushOnline"), (ann, "Online"), (carol, "Offline")]
        details = {one["To_Account"]: {(d["Platform"], d["Status"]) for d in one.get("Detail", [])}
                   for one in answer["QueryResult"]}
        assert details == ({
            bob: {("iPhone", "PushOnline"), ("Android", "PushOnline")}, ann: {("Web", "Online")}, carol: set()}
            if detail else {bob: set(), ann: set(), carol: set()})
    assert v4.code("openim/query_online_status", {"To_Account": ["nobody-at-all"]}) == 70107
