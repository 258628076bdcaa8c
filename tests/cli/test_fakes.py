"""`backline fakes` starts doubles and says how to reach them."""

import signal
import subprocess
from urllib.parse import urlsplit

import httpx

from tests.cli.test_server import start

WANTED = {
    "AUDD_URL",
    "AUDD_TOKEN",
    "REPLICATE_URL",
    "REPLICATE_TOKEN",
    "LABELER_URL",
    "NOTICE_URL",
    "OUTBOUND_PRIVATE",
}


def test_every_double_answers_where_it_says() -> None:
    process: subprocess.Popen[str] = start("fakes", "--port", "0")
    try:
        assert process.stdout
        lines = [process.stdout.readline().rstrip().split("=", 1) for _ in WANTED]
        said = {name: value for name, value in lines}
        assert said.keys() == WANTED
        scanned = httpx.post(said["AUDD_URL"], data={"api_token": said["AUDD_TOKEN"], "url": "https://a.example/a.wav"})
        assert scanned.json()["status"] == "success"
        planned = {"status": 429, "headers": {"Retry-After": "3"}, "body": {}}
        assert httpx.post(f"{said['AUDD_URL']}_next", json=planned).json() == {"in_line": 1}
        assert httpx.post(said["AUDD_URL"]).headers["retry-after"] == "3"
        labels = f"{said['LABELER_URL']}/xrpc/com.atproto.label.queryLabels"
        assert httpx.get(labels, params={"uriPatterns": "at://x"}).json() == {"labels": []}
        assert httpx.get(labels).status_code == 400
        assert httpx.get(f"{said['REPLICATE_URL']}/predictions/x").status_code == 401
        assert httpx.post(said["NOTICE_URL"], json={"id": "x"}).json() == {"ok": True}
        assert urlsplit(said["NOTICE_URL"]).hostname == "127.0.0.1"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130)
    finally:
        process.kill()
        process.communicate()


def test_a_port_that_is_taken_is_named() -> None:
    first = start("fakes", "--port", "0")
    try:
        assert first.stdout
        port = urlsplit(first.stdout.readline().rstrip().split("=", 1)[1]).port
        second = start("fakes", "--port", str(port))
        out, err = second.communicate(timeout=60)
        assert (second.returncode, out) == (1, "")
        assert f"port {port}" in err
    finally:
        first.kill()
        first.communicate()
