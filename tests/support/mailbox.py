"""What users find in their mailboxes, and what they are to each other."""


def history(api, user):
    return api.get(f"/v1/users/{user}/messages").json["items"]


def news(api, user):
    """What the user's devices learn of besides new messages."""
    items = api.get(f"/v1/users/{user}/events").json["items"]
    return [item for item in items if item["kind"] != "message"]


def relation(api, user, peer):
    reply = api.post(f"/v1/users/{user}/friends/check", {"peers": [peer]})
    return reply.json["items"][0]["relation"]
