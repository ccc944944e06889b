"""Every command of docs/migrating.md works as it stands, one after the other in one shell."""

import json
import re
import subprocess

from support import ROOT
from support.server import binary, environment
from usersig import APP_ID, KEY

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_every_command_of_the_guide_works(v4_server, api, tmp_path):
    blocks = BLOCK.findall((ROOT / "docs" / "migrating.md").read_text(encoding="utf-8"))
    for name in ("mia", "noa"):
        api.delete(f"/v1/users/{name}")
    (tmp_path / "admin.token").write_text(v4_server.token(), encoding="utf-8")
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    settings = {"DUETD": binary(), "DUET_V4_APP_ID": APP_ID, "DUET_V4_KEY_FILE": tmp_path / "key"}
    # They are the shell's alone: to duetd they would be settings that it does not know.
    own = f"DUET_URL={v4_server.url}\nDUET_TOKEN_FILE={tmp_path / 'admin.token'}\n"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", own + "\n".join(blocks)],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
    answers = [json.loads(line) for line in done.stdout.splitlines() if "ErrorCode" in line]
    assert len(answers) == 9
    assert [answer["ErrorCode"] for answer in answers] == [0] * 9
    history = answers[7]
    assert [message["MsgBody"][0]["MsgContent"]["Text"] for message in history["MsgList"]] == ["an old message"]
    assert '"text":"Tea at four?"' in done.stdout and '"key":"5_7_' in done.stdout
