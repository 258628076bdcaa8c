"""What all pages have in common: who may see them, the navigation, the live parts, and the way to act."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup
from nicegui import Client, ui
from nicegui.events import GenericEventArguments

from backend.dashboard import rail, sign_in
from backend.dashboard.actions import Call, perform
from backend.dashboard.assets import HEAD
from backend.dashboard.feeds import EVERY_S, Feed, Fragments, Load, feed
from backend.dashboard.markup import NOTHING, card
from backend.dashboard.visitor import Visitor, visitor_of
from backend.errors import BacklineError, Forbidden, SignInRequired

RECHECK_S = 30.0


@dataclass(frozen=True)
class View:
    """What a page shows. Pages with the same key share one feed."""

    title: str
    key: Hashable
    load: Load
    every: float = EVERY_S
    above: Markup = NOTHING  # stands above the live parts and never changes
    query: str = ""  # what the search field holds


Build = Callable[[Request], Awaitable[View]]


def page(path: str, room: str) -> Callable[[Build], Build]:
    """Declare a page of the desk. `room` is the part of the navigation it belongs to."""

    def declare(build: Build) -> Build:
        async def show(request: Request) -> Response | None:
            try:
                visitor = await visitor_of(request, request.app.state.settings)
            except SignInRequired:
                where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(f"/desk/sign-in?then={quote(where)}", 303)
            except Forbidden as error:
                return sign_in.page(error.detail, 403)
            try:
                view = await build(request)
                parts = feed(view.key, view.load, view.every)
                fragments = await parts.fragments()
            except BacklineError as error:
                view, parts = View(error.title, None, rail.load), None
                fragments = {"error": card(error.title, Markup('<p class="empty">{}</p>').format(error.detail))}
            await _lay_out(view, room, visitor, parts, fragments)
            return None

        ui.page(path, title="Backline")(show)
        return build

    return declare


async def _lay_out(view: View, room: str, visitor: Visitor, parts: Feed | None, fragments: Fragments) -> None:
    client = ui.context.client
    client.title = f"{view.title} · Backline"
    ui.add_head_html(HEAD)
    states = feed("rail", rail.load)
    shown: dict[str, ui.html] = {}
    with ui.element("div").classes(f"desk role-{'acts' if visitor.acts else 'looks'}").props(f'data-room="{room}"'):
        with ui.element("aside").classes("rail"):
            ui.html('<a class="brand" href="/desk/">Backline</a>', sanitize=False)
            shown["rail"] = ui.html((await states.fragments())["rail"], sanitize=False, tag="nav")
        with ui.element("main"):
            ui.html(_header(view, visitor), sanitize=False, tag="header").classes("top")
            trouble = ui.html("", sanitize=False).classes("trouble")
            if view.above:
                ui.html(view.above, sanitize=False)
            for name, content in fragments.items():
                shown[name] = ui.html(content, sanitize=False).classes(f"part part-{name}")
    live = [states] if parts is None else [states, parts]
    _keep_live(client, live, shown, trouble)

    async def act(event: GenericEventArguments) -> None:
        said = event.args[0] if isinstance(event.args, list) else event.args
        if await perform(Call.of(said, visitor, client)):
            await asyncio.gather(*(each.refresh() for each in live))

    ui.on("desk", act)
    if visitor.token is not None:
        ui.timer(RECHECK_S, lambda: _recheck(visitor))


def _keep_live(client: Client, live: list[Feed], shown: dict[str, ui.html], trouble: ui.html) -> None:
    leave: list[Callable[[], None]] = []

    def tell(fragments: Fragments, problem: str | None) -> None:
        for name, content in fragments.items():
            if name in shown and shown[name].content != content:
                shown[name].set_content(content)
        text = Markup("What you see is not current: {}. It is tried again.").format(problem) if problem else ""
        if trouble.content != text:
            trouble.set_content(text)

    def begin() -> None:
        if not leave:
            leave.extend(each.listen(tell) for each in live)

    def end() -> None:
        while leave:
            leave.pop()()

    # Who never opens a connection, such as a program that fetches the page, is never told anything.
    client.on_connect(begin)
    client.on_disconnect(end)
    client.on_delete(end)


async def _recheck(visitor: Visitor) -> None:
    if not await visitor.still_signed_in():
        ui.navigate.to("/sign-in")


def _header(view: View, visitor: Visitor) -> Markup:
    leave = (
        Markup(
            '<form method="post" action="/desk/sign-out"><button class="plain" title="Sign out">Sign out</button></form>'
        )
        if visitor.token
        else NOTHING
    )
    return Markup(
        '<h1>{}</h1><form class="search" action="/desk/runs" role="search"><input name="q" type="search" value="{}" '
        'placeholder="Search runs: task: queue: state: key: args.x:" aria-label="Search runs" autocomplete="off" '
        'spellcheck="false"><kbd>/</kbd></form><span class="who" title="Who acts here"><b>{}</b><small>{}</small></span>{}'
        '<button class="plain icon" data-theme-switch title="Light, dark, or as the system has it (t)" '
        'aria-label="Change the theme"></button>'
        '<button class="plain icon" data-help title="Keyboard shortcuts (?)" aria-label="Keyboard shortcuts">?</button>'
    ).format(view.title, view.query, visitor.name, visitor.role, leave)
