"""An export whose database goes away while it is on its way."""

from support.client import Api
from support.export import fill, open_export, take_all

HEALED_SECONDS = 10


def test_an_export_without_its_database_is_seen_not_to_be_whole(victim, start_on, look_into):
    server = start_on(victim)
    api = Api(server, None)
    for user in ("export-ann", "export-bob"):
        assert api.put(f"/v1/users/{user}", {}).status in (200, 201)
    fill(look_into(victim), "export-ann", "export-bob", 2000, size=5000)
    path = "/v1/users/export-ann/export"
    n_lines = len(api.get(path).lines)
    with open_export(server, "export-ann") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        victim.kill()
        rest = take_all(connection)
    assert b'"type":"end"' not in rest
    assert not rest.endswith(b"0\r\n\r\n")
    server.wait_for_log("stream_broken", operation="user_export")
    assert server.probe("/healthz") == 200
    victim.start()
    server.wait_ready(HEALED_SECONDS)
    assert len(api.get(path).lines) == n_lines
