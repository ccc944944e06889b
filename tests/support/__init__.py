"""What the black-box tests stand on: a database cluster, servers, tokens, a client that holds every
answer against the OpenAPI file."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def text_message(sender, receiver, text="hi", **more):
    """The body of POST /v1/messages for one text."""
    return {"from": sender, "to": receiver, "text": text, **more}


def short(value):
    """Of a test's parameter, what its name can bear."""
    text = repr(value)
    return text if len(text) <= 24 else f"{text[:20]}…{len(text)}"
