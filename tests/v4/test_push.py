"""all_member_push: whom a push reaches, and the tags and attributes that say so."""

import concurrent.futures
import secrets

import pytest

import given

BODY = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "Tea!"}}]


@pytest.fixture(autouse=True)
def room(world):
    """No push was before, and attributes are called sex, city and level."""
    given.may_push(world)


@pytest.fixture
def push(v4):
    def make(number=None, **members):
        random = secrets.randbits(32) if number is None else number
        return v4.post("all_member_push/im_push", {"MsgRandom": random, "MsgBody": BODY, **members})

    return make


@pytest.fixture
def reached(api, push, v4_server, world):
    """Of these users, those whom a push with this condition reaches."""

    def ask(users, condition):
        given.may_push(world)
        answer = push(Condition=condition, MsgLifeTime=600)
        assert answer["ErrorCode"] == 0, answer
        path = f"/v1/notifications/{answer['TaskId']}"
        v4_server.wait_until(lambda: api.get(path).json["state"] == "done", what="the end of the push")
        return {name for name in users if api.get(f"/v1/users/{name}/messages").json["items"]}

    return ask


def set_attrs(v4, *entries):
    v4.ok("all_member_push/im_set_attr",
          {"UserAttrs": [{"To_Account": name, "Attrs": attrs} for name, attrs in entries]})


def attrs(v4, *users):
    answer = v4.ok("all_member_push/im_get_attr", {"To_Account": list(users)})
    assert answer["Attrs"] == answer["UserAttrs"]
    return [one["Attrs"] for one in answer["UserAttrs"]]


def add_tags(v4, *entries):
    v4.ok("all_member_push/im_add_tag", {"UserTags": [{"To_Account": name, "Tags": tags} for name, tags in entries]})


def tags(v4, *users):
    answer = v4.ok("all_member_push/im_get_tag", {"To_Account": list(users)})
    assert answer["Tags"] == answer["UserTags"]
    return [one["Tags"] for one in answer["UserTags"]]


# ---- whom it reaches ----


@pytest.mark.parametrize("condition, expected", [
    ({"TagsOr": ["red", "blue"]}, "abc"),
    ({"TagsAnd": ["red", "blue"]}, "b"),
    ({"TagsAnd": ["red"], "TagsOr": ["blue", "green"]}, "b"),
    ({"TagsOr": ["green"]}, ""),
], ids=["or", "and", "both", "nobody"])
def test_tags_tell_whom_a_push_reaches(v4, user, reached, condition, expected):
    users = dict(zip("abcd", (user(), user(), user(), user())))
    mark = secrets.token_hex(4)
    add_tags(v4, (users["a"], [f"red{mark}"]), (users["b"], [f"red{mark}", f"blue{mark}"]),
             (users["c"], [f"blue{mark}"]))
    condition = {name: [tag + mark for tag in members] for name, members in condition.items()}
    assert reached(users.values(), condition) == {users[name] for name in expected}


@pytest.mark.parametrize("condition, expected", [
    ({"AttrsOr": {"city": "Kiel", "level": "gold"}}, "abc"),
    ({"AttrsAnd": {"city": "Kiel", "level": "gold"}}, "b"),
    ({"AttrsAnd": {"city": "Kiel"}, "AttrsOr": {"sex": "f", "level": "gold"}}, "b"),
    ({"AttrsAnd": {"level": "Kiel"}}, ""),
], ids=["or", "and", "both", "nobody"])
def test_attributes_tell_whom_a_push_reaches(v4, user, reached, condition, expected):
    users = dict(zip("abcd", (user(), user(), user(), user())))
    mark = secrets.token_hex(4)
    set_attrs(v4, (users["a"], {"city": f"Kiel{mark}"}),
              (users["b"], {"city": f"Kiel{mark}", "level": f"gold{mark}"}),
              (users["c"], {"level": f"gold{mark}"}), (users["d"], {"sex": f"m{mark}"}))
    condition = {name: {attr: value + mark for attr, value in members.items()}
                 for name, members in condition.items()}
    assert reached(users.values(), condition) == {users[name] for name in expected}


def test_without_a_condition_it_reaches_everybody_in_the_name_of_the_administrator(v4_server, api, ann, bob, push):
    answer = push(MsgLifeTime=600, OfflinePushInfo={"Title": "T", "Desc": "D"})
    made = api.get(f"/v1/notifications/{answer['TaskId']}").json
    assert (made["to"], made["from"]) == ({"all": True}, "administrator")
    v4_server.wait_until(
        lambda: api.get(f"/v1/notifications/{answer['TaskId']}").json["state"] == "done", what="the end of the push")
    for name in (ann, bob):
        (message,) = api.get(f"/v1/users/{name}/messages").json["items"]
        assert message["elements"] == [{"type": "text", "text": "Tea!"}]


def test_without_a_life_time_it_is_for_devices_that_are_connected(v4, api, db, ann, push):
    add_tags(v4, (ann, [ann[:50]]))
    answer = push(Condition={"TagsAnd": [ann[:50]]})
    ((seconds,),) = db.execute(
        "select store_seconds from duet.notification where notification_no = %s", [int(answer["TaskId"])]).fetchall()
    assert seconds == 0
    assert api.get(f"/v1/notifications/{answer['TaskId']}").json["total"] == 1


# ---- once ----


def test_a_number_that_comes_again_is_the_same_task_at_once(push):
    first = push(7)
    assert push(7)["TaskId"] == first["TaskId"]
    assert push(8)["ErrorCode"] == 90024


def test_a_number_names_its_task_whatever_else_is_said(push):
    first = push(7)
    assert push(7, MsgLifeTime=60, OfflinePushInfo={"Title": "T"})["TaskId"] == first["TaskId"]


def test_a_number_that_comes_again_is_the_same_task_when_the_day_is_full(world, push):
    first = push(7)
    world.database(
        "insert into duet.notification (sender, created_by, kind, options, store_seconds, elements, state,"
        " due_at, send_at, created_at)"
        " select sender, created_by, kind, options, store_seconds, elements, 'done', null, send_at,"
        " now() - interval '1 hour' from duet.notification, generate_series(1, 100)")
    world.database("update duet.notification set created_at = now() - interval '2 seconds'"
                   " where notification_no = %s", [int(first["TaskId"])])
    assert push(8)["ErrorCode"] == 90047
    assert push(7)["TaskId"] == first["TaskId"]


def test_a_number_that_is_refused_may_come_again(push, world):
    assert push(7, From_Account="nobody-at-all")["ErrorCode"] == 90048
    assert push(7)["ErrorCode"] == 0
    given.may_push(world)
    assert push(9)["ErrorCode"] == 0


@pytest.mark.parametrize("members, number", [
    ({"MsgRandom": "7"}, 90005),
    ({"MsgRandom": 2**32}, 90005),
    ({"MsgRandom": None}, 90005),
    ({"MsgBody": None}, 90007),
    ({"MsgLifeTime": 604801}, 90026),
    ({"Condition": {"TagsOr": [""]}}, 90040),
    ({"Condition": {"TagsOr": ["x" * 51]}}, 90020),
    ({"Condition": {"TagsOr": [f"t{i}" for i in range(11)]}}, 90032),
    ({"Condition": {"TagsOr": ["#1=Kiel"]}}, 90034),
    ({"Condition": {"AttrsAnd": {"shoe": "42"}}}, 90033),
    ({"Condition": {"AttrsAnd": {"city": ""}}}, 90033),
], ids=str)
def test_what_is_wrong_with_a_push_has_its_number(v4, members, number):
    assert v4.code("all_member_push/im_push", {"MsgRandom": 1, "MsgBody": BODY, **members}) == number


# ---- tags and attributes ----


def test_an_attribute_has_one_value_whoever_sets_it(v4, ann):
    set_attrs(v4, (ann, {"city": "Kiel", "level": 20}), (ann, {"city": "Bonn"}))
    assert attrs(v4, ann) == [{"city": "Bonn", "level": "20"}]
    cities = [f"city{i}" for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda city: set_attrs(v4, (ann, {"city": city})), cities))
    (found,) = attrs(v4, ann)
    assert found["city"] in cities and found["level"] == "20"
    set_attrs(v4, (ann, {"city": "last"}))
    v4.ok("all_member_push/im_remove_attr", {"UserAttrs": [{"To_Account": ann, "Attrs": ["level", "sex"]}]})
    assert attrs(v4, ann) == [{"city": "last"}]


def test_tags_and_attributes_do_not_meet(v4, api, ann):
    add_tags(v4, (ann, ["red", "#x", "#10=y"]))
    set_attrs(v4, (ann, {"city": "Kiel"}))
    assert tags(v4, ann) == [["#10=y", "#x", "red"]]
    assert v4.code("all_member_push/im_add_tag", {"UserTags": [{"To_Account": ann, "Tags": ["#1=Ulm"]}]}) == 90034
    v4.ok("all_member_push/im_remove_all_tags", {"To_Account": [ann]})
    assert (tags(v4, ann), attrs(v4, ann)) == ([[]], [{"city": "Kiel"}])
    assert [one["tag"] for one in api.get(f"/v1/users/{ann}/tags").json["items"]] == ["#1=Kiel"]


def test_a_user_who_is_not_there_has_nothing_and_is_given_nothing(v4, ann):
    assert attrs(v4, ann, "nobody-at-all") == [{}, {}]
    assert tags(v4, "nobody-at-all") == [[]]
    entries = [{"To_Account": "nobody-at-all", "Tags": ["red"]}]
    assert v4.code("all_member_push/im_add_tag", {"UserTags": entries}) == 90048


def test_names_are_changed_one_by_one_and_values_stay_with_their_number(v4, ann):
    set_attrs(v4, (ann, {"city": "Kiel"}))
    v4.ok("all_member_push/im_set_attr_name", {"AttrNames": {"1": "town", "9": "shoe"}})
    assert v4.ok("all_member_push/im_get_attr_name")["AttrNames"] == {
        "0": "sex", "1": "town", "2": "level", "9": "shoe"}
    assert attrs(v4, ann) == [{"town": "Kiel"}]


@pytest.mark.parametrize("names", [
    {"10": "x"}, {"-1": "x"}, {"a": "x"}, {"0": ""}, {"0": "x" * 51}, {"0": 5}, {"0": "city"}, {"3": "x", "4": "x"},
    [f"n{i}" for i in range(11)],
], ids=str)
def test_names_that_are_none_are_refused(v4, names):
    assert v4.code("all_member_push/im_set_attr_name", {"AttrNames": names}) == 90030
    assert v4.ok("all_member_push/im_get_attr_name")["AttrNames"] == {"0": "sex", "1": "city", "2": "level"}


@pytest.mark.parametrize("shape", [
    {"UserAttrs": "entries"}, {"Attrs": "entries"}, {"To_Account": "user", "Attrs": "attrs"},
], ids=["documented", "go", "java"])
def test_each_shape_that_sdks_send_is_read(v4, ann, shape):
    one = {"city": "Kiel"}
    words = {"entries": [{"To_Account": ann, "Attrs": one}], "user": ann, "attrs": one}
    v4.ok("all_member_push/im_set_attr", {name: words[word] for name, word in shape.items()})
    assert attrs(v4, ann) == [one]


@pytest.mark.parametrize("entries", [[], [{}], ["ann"], [{"To_Account": 5, "Attrs": {}}], [{"To_Account": "x"}], "x"])
def test_entries_that_are_none_are_refused(v4, entries):
    assert v4.code("all_member_push/im_set_attr", {"UserAttrs": entries}) == 90001
    assert v4.code("all_member_push/im_add_tag", {"UserTags": entries}) == 90001


@pytest.mark.parametrize("name", ["x" * 65, "nobody-at-all"])
def test_a_name_that_none_could_have_is_one_that_is_unknown(v4, ann, name):
    add_tags(v4, (ann, ["blue"]))
    assert tags(v4, ann, name) == [["blue"], []]
    assert attrs(v4, name, ann) == [{}, {}]
    assert v4.code("all_member_push/im_remove_all_tags", {"To_Account": [ann, name]}) == 90048
    assert v4.code("all_member_push/im_add_tag", {"UserTags": [{"To_Account": name, "Tags": ["blue"]}]}) == 90048
    assert tags(v4, name) == [[]]
