"""What operators do over HTTP is in the audit log, with who they are."""

import httpx

from backend.domains.federation.sign_ins import Role, open_sign_in
from backend.runtime.audit import list_audit
from tests.api.following import ended
from tests.api.room import schedule_api_die


async def test_actions_are_written_down_and_looks_are_not(api: httpx.AsyncClient) -> None:
    run = await schedule_api_die("audited")
    await ended(api, run.id)
    await api.get("/runs")
    assert await list_audit() == []
    headers = {"Authorization": f"Bearer {await open_sign_in('did:plc:op', Role.OPERATOR)}"}
    (await api.post("/queues/media/pause")).raise_for_status()
    (await api.put("/schedules/api_tidy/interval", json={"spec": "every 300"}, headers=headers)).raise_for_status()
    (await api.post("/schedules/api_tidy/run", json={"args": {"deep": True}}, headers=headers)).raise_for_status()
    (await api.post("/dead/purge", json={"filter": {"task": "api_die"}}, headers=headers)).raise_for_status()
    entries = [(each.action, each.target, each.who, each.via) for each in reversed(await list_audit())]
    assert entries == [
        ("queue.pause", "media", "anyone on this machine", "api"),
        ("schedule.interval", "api_tidy", "did:plc:op", "api"),
        ("schedule.run", "api_tidy", "did:plc:op", "api"),
        ("dead.purge", "1 run", "did:plc:op", "api"),
    ]
