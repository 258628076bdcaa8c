"""Metrics, as Prometheus scrapes them."""

from fastapi import APIRouter, Request, Response

from backend.api.caller import LOOKS, REFUSED
from backend.api.problems import problems
from backend.runtime.metrics import scrape

router = APIRouter(tags=["health"])

TEXT = {200: {"description": "All metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses=TEXT | problems(*REFUSED),
    dependencies=[LOOKS],
)
async def show_metrics(request: Request) -> Response:
    """All metrics in Prometheus' text format, or in OpenMetrics' for who asks for that.

    `backline_cluster_…` is the same at every process; all else is this process's own. Where Backline is closed, this
    needs the bearer token of a viewer.
    """
    body, content_type = await scrape(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})
