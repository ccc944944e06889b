"""POST /v1/tags and /v1/tags/query: tags of several users at once."""


def tags(api, *users):
    return {one["user"]: one["tags"] for one in api.post("/v1/tags/query", {"users": list(users)}).json["items"]}


def change(api, *changes):
    return api.post("/v1/tags", {"changes": list(changes)})


def test_tags_are_given_and_taken(api, ann, bob):
    assert change(api, {"user": ann, "add": ["red", "blue"]}, {"user": bob, "add": ["red"]}).json == {
        "results": [{"user": ann}, {"user": bob}]}
    assert tags(api, bob, ann, "nobody") == {bob: ["red"], ann: ["blue", "red"], "nobody": []}
    for _ in range(2):
        change(api, {"user": ann, "remove": ["blue"], "add": ["green", "red"]})
        assert tags(api, ann) == {ann: ["red", "green"]}
    assert [one["tag"] for one in api.get(f"/v1/users/{ann}/tags").json["items"]] == ["green", "red"]


def test_of_tags_with_one_prefix_a_user_has_the_last(api, ann):
    change(api, {"user": ann, "add": ["city=Kiel", "city", "cities=all"]})
    for city in ("city=Bonn", "city=Ulm"):
        change(api, {"user": ann, "remove_prefixes": ["city="], "add": [city]})
    assert sorted(tags(api, ann)[ann]) == ["cities=all", "city", "city=Ulm"]


def test_who_would_have_too_many_stays_as_it_was(api, ann, bob):
    change(api, {"user": ann, "add": [f"t{i}" for i in range(100)]})
    results = change(api, {"user": ann, "add": ["more"]}, {"user": bob, "add": ["x"]}, {"user": "nobody"}).json["results"]
    assert [one.get("problem", {}).get("code") for one in results] == ["tags_full", None, "user_unknown"]
    assert len(tags(api, ann)[ann]) == 100 and tags(api, bob) == {bob: ["x"]}
    assert "problem" not in change(api, {"user": ann, "remove": ["t0"], "add": ["more"]}).json["results"][0]


def test_a_change_that_is_wrong_fails_alone(api, ann):
    changes = [{"user": ann, "add": ["x" * 257]}, {"user": ann, "add": ["x"]}, {"add": ["y"]}]
    results = change(api, *changes).json["results"]
    assert [one["user"] for one in results] == [ann, ann, ""]
    assert [one.get("problem", {}).get("errors", [{}])[0].get("pointer") for one in results] == [
        "/changes/0/add/0", None, "/changes/2/user"]
    assert tags(api, ann) == {ann: ["x"]}
    reply = change(api, changes[0], changes[2])
    assert (reply.status, reply.pointers) == (400, ["/changes/0/add/0", "/changes/1/user"])


def test_a_tag_that_no_path_could_name_is_refused_but_can_be_taken(api, db, ann, bob):
    bad = {"user": ann, "add": ["x", "a/b", "a\\b", "."], "remove": ["y"]}
    first, second = change(api, bad, {"user": bob, "add": ["x"]}).json["results"]
    assert [one["pointer"] for one in first["problem"]["errors"]] == [f"/changes/0/add/{i}" for i in (1, 2, 3)]
    assert second == {"user": bob} and tags(api, ann, bob) == {ann: [], bob: ["x"]}
    reply = change(api, bad)
    assert (reply.status, reply.code, len(reply.pointers)) == (400, "invalid_request", 3)

    # Such tags come through /v4.
    db.execute("select duet.user_tag_put(%s, 'a/b')", [ann])
    assert tags(api, ann) == {ann: ["a/b"]}
    assert change(api, {"user": ann, "remove": ["a/b"]}).json == {"results": [{"user": ann}]}
    assert tags(api, ann) == {ann: []}


def test_a_device_may_neither_read_nor_give_tags(api, ann):
    mine = api.as_user(ann)
    assert change(mine, {"user": ann, "add": ["x"]}).code == "forbidden"
    assert mine.post("/v1/tags/query", {"users": [ann]}).code == "forbidden"


def test_what_is_wrong_is_named(api, ann):
    assert change(api).pointers == ["/changes"]
    assert change(api, {"user": ann, "add": ["x" * 65]}).pointers == ["/changes/0/add/0"]
    assert change(api, {"user": ann, "remove_prefixes": [""]}).pointers == ["/changes/0/remove_prefixes/0"]
    assert api.post("/v1/tags/query", {"users": []}).pointers == ["/users"]
