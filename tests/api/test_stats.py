"""GET /v1/stats."""

from support.archives import close_hour, hour_before, name_of, open_again, send_at


def test_stats_get_counts_users_and_devices(api, user, db):
    before = api.get("/v1/stats").json
    ann = user()
    api.put(f"/v1/users/{ann}/devices/phone", {"platform": "web"})
    after = api.get("/v1/stats").json
    assert (after["users"], after["devices"]) == (before["users"] + 1, before["devices"] + 1)
    assert after["database_bytes"] > 1_000_000
    owner = db.execute("select user_no from duet.app_user where user_id = %s", (ann,)).fetchone()[0]
    for n, seconds in ((1, 60), (2, 60), (3, -1)):
        db.execute(
            "insert into duet.stream (owner, stream_id, opened_at, open_until)"
            " values (%s, %s, now(), now() + %s * interval '1 second')",
            (owner, n, seconds),
        )
    live = api.get("/v1/stats").json
    assert live["users_online"] == after["users_online"] + 1
    assert live["streams"] == after["streams"] + 2


def test_stats_get_counts_the_messages_of_closed_hours(api, db, ann, bob):
    hour = hour_before(2)
    open_again(db, hour)
    send_at(db, hour, [(ann, bob)], ["one"])
    assert name_of(hour) not in {one["hour"] for one in api.get("/v1/stats").json["messages_by_hour"]}
    close_hour(api, db, hour)
    hours = api.get("/v1/stats").json["messages_by_hour"]
    listed = {one["hour"]: one["messages"] for one in api.get("/v1/archives").json["items"]}
    assert {one["hour"]: one["messages"] for one in hours}.items() <= listed.items()
    assert listed[name_of(hour)] >= 1 and name_of(hour) in {one["hour"] for one in hours}
    days = {one["day"]: one["messages"] for one in api.get("/v1/stats").json["messages_by_day"]}
    of_the_day = sum(one["messages"] for one in hours if one["hour"].startswith(name_of(hour)[:10]))
    assert days[name_of(hour)[:10]] >= of_the_day >= 1
    assert list(days) == sorted(days, reverse=True)
    assert [one["hour"] for one in hours] == sorted((one["hour"] for one in hours), reverse=True)


def test_stats_are_for_operators(api, ann):
    assert api.as_user(ann).get("/v1/stats").code == "forbidden"
