"""Every command of docs/curl.md works as it stands, one after the other in one shell."""

import os
import re
import subprocess

from support import ROOT

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_every_command_of_the_cookbook_works(server, tmp_path):
    blocks = BLOCK.findall((ROOT / "docs" / "curl.md").read_text(encoding="utf-8"))
    assert len(blocks) > 10
    token = tmp_path / "admin.token"
    token.write_text(server.token(), encoding="utf-8")
    # Each block says which one it is, so that a failure shows where.
    script = "".join(f"echo '== block {n}' >&2\n{block}\n" for n, block in enumerate(blocks, 1))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "DUET_URL": server.url, "DUET_TOKEN_FILE": str(token)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr[-1000:]}\n{done.stdout[-1000:]}"
    assert '"problem"' not in done.stdout
