"""Small servers that speak as AuDD, Replicate, a labeler and a webhook do, their errors included.

They let the whole crew run without keys. Each does what its service does with a well-formed request; what it should
answer next instead can be put in line with `POST /_next`, as `{"status": 429, "headers": {}, "body": {}, "delay_s": 0}`.
"""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

TOKEN = "double"
COLD_LOOKS = 2  # times that a question is asked for before the model has answered


class Double(FastAPI):
    """A server whose next answers can be put in line. `asked` is what it was asked, newest last."""

    def __init__(self, title: str) -> None:
        super().__init__(title=title, docs_url=None, redoc_url=None, openapi_url=None)
        self.state.closing = asyncio.Event()
        self.line: deque[dict[str, Any]] = deque()
        self.asked: deque[dict[str, Any]] = deque(maxlen=1000)
        self.middleware("http")(self._out_of_line)
        self.post("/_next")(self._put_in_line)

    def answer_next(self, status: int = 200, body: object = None, delay_s: float = 0, **headers: str) -> None:
        """The next request gets this answer after this delay, whatever it asks."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.line.append({"status": status, "body": body, "headers": names, "delay_s": delay_s})

    async def _put_in_line(self, request: Request) -> dict[str, int]:
        self.line.append(await request.json())
        return {"in_line": len(self.line)}

    async def _out_of_line(self, request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path == "/_next":
            return await proceed(request)
        about = {"method": request.method, "path": request.url.path, "query": str(request.url.query)}
        self.asked.append({**about, "authorised": "authorization" in request.headers})
        if not self.line:
            return await proceed(request)
        await request.body()
        planned = self.line.popleft()
        await asyncio.sleep(planned.get("delay_s", 0))
        body = planned.get("body")
        content = body if isinstance(body, str) else json.dumps(body)
        return Response(content, planned.get("status", 200), planned.get("headers"), "application/json")


def audd() -> Double:
    """AuDD's enterprise endpoint. It knows no song: put matches in line."""
    app = Double("AuDD")

    @app.post("/")
    async def scan(request: Request) -> dict[str, Any]:
        async with request.form() as fields:
            if fields.get("api_token") != TOKEN:
                return _audd_error(900, "Recognition failed: authorization failed: wrong api_token")
            sound = fields.get("file") or fields.get("url")
            if not sound:
                return _audd_error(700, "Recognition failed: no file or url")
            if isinstance(sound, str):
                app.asked[-1]["url"] = sound
            else:
                app.asked[-1]["bytes"] = len(await sound.read())
        return {"status": "success", "result": [], "execution_time": "0.01"}

    return app


def _audd_error(code: int, message: str) -> dict[str, Any]:
    # With the status 200, as the service does it.
    return {"status": "error", "error": {"error_code": code, "error_message": message}}


def audd_found(*songs: tuple[str, str]) -> dict[str, Any]:
    """AuDD's answer for these songs, by artist and title, each 12 seconds after the one before."""
    groups = [
        {
            "offset": f"{at * 12 // 60:02}:{at * 12 % 60:02}",
            "songs": [{"artist": artist, "title": title, "timecode": "00:40", "song_link": "https://lis.tn/double"}],
        }
        for at, (artist, title) in enumerate(songs)
    ]
    return {"status": "success", "result": groups, "execution_time": "0.01"}


def replicate() -> Double:
    """Replicate, with a cold model that hears the same in everything."""
    app = Double("Replicate")
    predictions: dict[str, dict[str, Any]] = {}
    looks: dict[str, int] = {}
    ids = itertools.count(1)

    @app.post("/v1/predictions", response_model=None)
    async def create(request: Request) -> Response:
        if (problem := _unsigned(request)) is not None:
            return problem
        asked = await request.json()
        if not asked.get("version") or "audio" not in asked.get("input", {}):
            return _problem(422, "Input validation failed", "- input: audio is required")
        name = f"prediction{next(ids)}"
        predictions[name] = {"id": name, "status": "starting", "output": None, "error": None, "input": asked["input"]}
        return JSONResponse(predictions[name], 201)

    @app.get("/v1/predictions/{name}", response_model=None)
    async def show(request: Request, name: str) -> Response:
        if (problem := _unsigned(request)) is not None:
            return problem
        if name not in predictions:
            return _problem(404, "Not found", "The requested resource could not be found")
        looks[name] = looks.get(name, 0) + 1
        found = predictions[name]
        if found["status"] in ("starting", "processing"):
            found["status"] = "succeeded" if looks[name] > COLD_LOOKS else "processing"
            if found["status"] == "succeeded":
                found["output"] = f"{str(request.base_url).rstrip('/')}/files/{name}.json"
        return JSONResponse(found)

    @app.post("/v1/predictions/{name}/cancel", response_model=None)
    async def cancel(request: Request, name: str) -> Response:
        if (problem := _unsigned(request)) is not None:
            return problem
        if name not in predictions:
            return _problem(404, "Not found", "The requested resource could not be found")
        predictions[name]["status"] = "canceled"
        return JSONResponse(predictions[name])

    _take_files(app)
    return app


def _take_files(app: Double) -> None:
    @app.post("/v1/files", response_model=None)
    async def upload(request: Request) -> Response:
        if (problem := _unsigned(request)) is not None:
            return problem
        async with request.form() as fields:
            content = fields.get("content")
            if content is None or isinstance(content, str):
                return _problem(400, "Bad request", "content is required")
            app.asked[-1]["bytes"] = len(await content.read())
        return JSONResponse({"id": "file1", "urls": {"get": f"{request.base_url}v1/files/file1"}}, 201)

    @app.get("/files/{name}.json")
    async def output(name: str) -> dict[str, float]:
        return {"Electronic---Ambient": 0.61234, "Electronic---Techno": 0.2, "Stage & Screen---Score": 0.1}


def _unsigned(request: Request) -> Response | None:
    if request.headers.get("authorization") == f"Bearer {TOKEN}":
        return None
    return _problem(401, "Unauthenticated", "You did not pass a valid authentication token")


def _problem(status: int, title: str, detail: str) -> Response:
    return JSONResponse({"title": title, "detail": detail, "status": status}, status)


def labeler() -> Double:
    """A labeler. `POST /labels` takes a statement as JSON: uri, val, and neg to take one back."""
    app = Double("labeler")
    labels: list[dict[str, Any]] = []

    @app.post("/labels")
    async def emit(request: Request) -> dict[str, Any]:
        moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        label = {"ver": 1, "src": "did:plc:double", "cts": moment, "sig": {"$bytes": "AAAA"}, **await request.json()}
        labels.append(label)
        return label

    @app.get("/xrpc/com.atproto.label.queryLabels", response_model=None)
    async def query(request: Request) -> Response:
        asked = request.query_params
        patterns, sources = asked.getlist("uriPatterns"), asked.getlist("sources")
        if not patterns:
            return JSONResponse({"error": "InvalidRequest", "message": "uriPatterns is required"}, 400)
        found = [
            label
            for label in labels
            if any(
                label["uri"] == each or (each.endswith("*") and label["uri"].startswith(each[:-1])) for each in patterns
            )
            and (not sources or label["src"] in sources)
        ]
        start, limit = int(asked.get("cursor", "0")), int(asked.get("limit", "50"))
        page = {"labels": found[start : start + limit]}
        more = {"cursor": str(start + limit)} if start + limit < len(found) else {}
        return JSONResponse({**page, **more})

    return app


def webhook() -> Double:
    """A place for notices, which keeps them in `asked`."""
    app = Double("webhook")

    @app.post("/notices")
    async def take(request: Request) -> dict[str, bool]:
        app.asked[-1]["notice"] = await request.json()
        return {"ok": True}

    return app
