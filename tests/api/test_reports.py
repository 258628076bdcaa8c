"""Reports over HTTP: admins read and decide them, nobody else sees them."""

import httpx

from backend.db.session import unit_of_work
from backend.domains.federation.sign_ins import Role, open_sign_in
from backend.domains.media.reports import Finding, Reason, TargetType, open_report

ANNA = "did:plc:anna"


async def _as(role: Role) -> dict[str, str]:
    return {"Authorization": f"Bearer {await open_sign_in(ANNA, role)}"}


async def _opened(target: str) -> str:
    async with unit_of_work() as unit:
        return await open_report(unit, Finding(TargetType.TRACK, target, Reason.DUPLICATE, "the same sound", "other"))


async def test_an_admin_reads_and_decides(api: httpx.AsyncClient) -> None:
    ids = [await _opened(str(number)) for number in range(3)]
    admin = await _as(Role.ADMIN)
    first = (await api.get("/reports?limit=2", headers=admin)).json()
    rest = (await api.get(first["next"], headers=admin)).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None
    done = await api.post(f"/reports/{ids[0]}/resolve", headers=admin)
    assert (done.status_code, done.json()["status"], done.json()["decided_by"]) == (200, "resolved", ANNA)
    assert (await api.post(f"/reports/{ids[0]}/resolve", headers=admin)).json() == done.json()
    assert (await api.post(f"/reports/{ids[0]}/dismiss", headers=admin)).status_code == 409
    assert (await api.post(f"/reports/{ids[1]}/dismiss", headers=admin)).json()["status"] == "dismissed"
    pending = (await api.get("/reports", params={"status": "pending"}, headers=admin)).json()["items"]
    assert [each["id"] for each in pending] == [ids[2]]
    assert (await api.get(f"/reports/{ids[0]}", headers=admin)).json() == done.json()
    assert (await api.get("/reports?status=open", headers=admin)).status_code == 422


async def test_others_are_refused(api: httpx.AsyncClient) -> None:
    here = f"/reports/{await _opened('a')}"
    for method, path in (("GET", "/reports"), ("GET", here), ("POST", f"{here}/resolve"), ("POST", f"{here}/dismiss")):
        assert (await api.request(method, path)).status_code == 401
        for role in (Role.ARTIST, Role.VIEWER, Role.OPERATOR):
            response = await api.request(method, path, headers=await _as(role))
            assert (response.status_code, response.json()["detail"]) == (403, "this needs the role admin")
    admin = await _as(Role.ADMIN)
    assert (await api.get(here, headers=admin)).json()["status"] == "pending"
    for method, tail in (("GET", ""), ("POST", "/resolve")):
        assert (await api.request(method, f"/reports/none{tail}", headers=admin)).status_code == 404
