"""A browser in a process of its own, so that what it says is in nobody else's logs: `python -m tests.api.other_browser JSON`.

Allows a sign-in with OAuth and comes back. Prints one JSON object: where it was sent, and the cookie it got.
"""

import asyncio
import json
import sys
from urllib.parse import urlsplit

import httpx

from tests.network.person import Person
from tests.network.server import Account


async def main(pds: str, url: str, account: dict[str, str], platform: str, cookie: str) -> dict[str, str]:
    """The URL leads to the authorization server; `platform` is where the callback is."""
    back = await Person(pds).allow(url, Account(**account))
    parts = urlsplit(back)
    async with httpx.AsyncClient(base_url=platform, timeout=60) as client:
        done = await client.get(f"{parts.path}?{parts.query}", headers={"Cookie": cookie})
    assert done.status_code == 303, done.text
    cookies = dict(line.partition(";")[0].split("=", 1) for line in done.headers.get_list("set-cookie"))
    return {"back": back, "token": cookies["backline_sign_in"]}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
