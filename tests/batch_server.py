"""OpenAI's and Anthropic's batch interfaces on 127.0.0.1 for tests: real HTTP, both in one server, with their faults.

    async with BatchServer() as server:
        Batched(OpenAI("m", base_url=server.openai_url), folder)
        Batched(Anthropic("m", base_url=server.anthropic_url), folder)

A batch ends when it was looked at ``looks`` times and the server does not ``hold``; its results come in reversed order.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self

from aiohttp import web
from anthropic_server import block, fault, message
from anthropic_server import last_user_text as last_claude_text
from loopback import Raw
from loopback_chat import completion, last_user_text
from loopback_responses import response

Fate = list[Any] | Raw | Literal["expired", "cancelled", "lost"]
"""What becomes of a request: choices or blocks, a failure of its own, or no answer; ``lost`` has no line at all."""
Fault = Raw | bytes | Literal["cut", "stall"]
"""What becomes of a submission: refused; made, and answered by these raw bytes, cut, or never answered."""
PAGE = 2
"""Batches in a page of the list."""


@dataclass
class Made:
    """A batch that was made: its requests by custom id, how often it was looked at, and what ended it early."""

    id: str
    kind: Literal["openai", "anthropic"]
    bodies: dict[str, dict[str, Any]]
    metadata: dict[str, str] | None = None
    endpoint: str = ""
    status: str = "completed"
    errors: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    held: bool = False
    looks: int = 0
    created: float = field(default_factory=time.time)

    @property
    def texts(self) -> list[str]:
        """What was asked."""
        ask = last_user_text if self.kind == "openai" else last_claude_text
        return [ask(body) for body in self.bodies.values()]


def obedient(body: dict[str, Any]) -> Fate:
    """The last user text, in either protocol."""
    if isinstance(body.get("messages"), list) and isinstance(body["messages"][-1]["content"], list):
        return [last_claude_text(body)]
    return [f"{last_user_text(body)} [{body.get('seed', 0)}]"]


class BatchServer:
    """Serves both interfaces while entered. ``made`` has the batches in order; ``begin`` is called with each new one,
    ``faults`` become of the next submissions, ``trouble`` of the next looks at a batch or its results (none: nothing),
    ``lists`` of those at the list."""

    def __init__(
        self, fate: Callable[[dict[str, Any]], Fate] = obedient, *, looks: int = 2, hold: bool = False
    ) -> None:
        self.fate = fate
        self.looks = looks
        self.hold = hold
        self.made: list[Made] = []
        self.files: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.trouble: list[Raw | None] = []
        self.lists: list[Raw] = []
        self.begin: Callable[[Made], None] = lambda made: None
        self.paths: list[str] = []
        self.port = 0

    @property
    def openai_url(self) -> str:
        """What to give OpenAI's client as its base url."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def anthropic_url(self) -> str:
        """What to give Anthropic's client as its base url."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=512 * 2**20)
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files/{id}/content", self._content)
        app.router.add_post("/v1/batches", self._make_openai)
        app.router.add_get("/v1/batches", self._list)
        app.router.add_get("/v1/batches/{id}", self._look)
        app.router.add_post("/v1/messages/batches", self._make_anthropic)
        app.router.add_get("/v1/messages/batches", self._list)
        app.router.add_get("/v1/messages/batches/{id}", self._look)
        app.router.add_get("/v1/messages/batches/{id}/results", self._results)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    # ---- submission

    async def _upload(self, http: web.Request) -> web.StreamResponse:
        form = await http.post()
        assert form["purpose"] == "batch"
        return web.json_response({"id": self._file(form["file"].file.read()), "object": "file", "purpose": "batch"})

    async def _make_openai(self, http: web.Request) -> web.StreamResponse:
        asked = json.loads(await http.read())
        assert asked["completion_window"] == "24h"
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        assert all((line["method"], line["url"]) == ("POST", asked["endpoint"]) for line in lines)
        bodies = {line["custom_id"]: line["body"] for line in lines}
        return await self._make(http, Made("", "openai", bodies, asked.get("metadata"), asked["endpoint"]), len(lines))

    async def _make_anthropic(self, http: web.Request) -> web.StreamResponse:
        requests = json.loads(await http.read())["requests"]
        bodies = {each["custom_id"]: each["params"] for each in requests}
        return await self._make(http, Made("", "anthropic", bodies), len(requests))

    async def _make(self, http: web.Request, made: Made, count: int) -> web.StreamResponse:
        assert len(made.bodies) == count, "custom ids must differ"
        assert all(len(name) <= 64 and name.replace("-", "").isalnum() for name in made.bodies)
        assert not any("stream" in body for body in made.bodies.values())
        what = self.faults.pop(0) if self.faults else None
        if isinstance(what, Raw):
            return _raw(what)
        self.add(made)
        if what == "stall":
            await asyncio.sleep(60)
        if what is not None:
            assert http.transport
            http.transport.write(what if isinstance(what, bytes) else b"")
            http.transport.close()
        return web.json_response(self._shown(made))

    def add(self, made: Made) -> Made:
        """Put a batch into the list, as if somebody had made it."""
        made.id = f"{'batch' if made.kind == 'openai' else 'msgbatch'}_{len(self.made)}"
        self.made.append(made)
        self.begin(made)
        return made

    # ---- looking

    async def _look(self, http: web.Request) -> web.StreamResponse:
        self.paths.append(http.path)
        if what := self._troubled():
            return _raw(what)
        found = [made for made in self.made if made.id == http.match_info["id"]]
        if not found:
            return _raw(Raw(404, fault("not_found_error", "no such batch")))
        found[0].looks += 1
        return web.json_response(self._shown(found[0]))

    def _troubled(self) -> Raw | None:
        return self.trouble.pop(0) if self.trouble else None

    async def _list(self, http: web.Request) -> web.StreamResponse:
        if self.lists:
            return _raw(self.lists.pop(0))
        kind = "anthropic" if "messages" in http.path else "openai"
        after = http.query.get("after_id") or http.query.get("after")
        listed = [made for made in reversed(self.made) if made.kind == kind]
        at = next((i + 1 for i, made in enumerate(listed) if made.id == after), 0)
        page, rest = listed[at : at + PAGE], listed[at + PAGE :]
        ends = {"first_id": page[0].id, "last_id": page[-1].id} if page else {"first_id": None, "last_id": None}
        return web.json_response({"data": [self._shown(made) for made in page], "has_more": bool(rest), **ends})

    def _over(self, made: Made) -> bool:
        return made.looks >= self.looks and not self.hold and not made.held

    def _shown(self, made: Made) -> dict[str, Any]:
        return self._openai(made) if made.kind == "openai" else self._anthropic(made)

    def _openai(self, made: Made) -> dict[str, Any]:
        over, total = self._over(made), len(made.bodies)
        status = made.status if over else "in_progress"
        shown = {"id": made.id, "object": "batch", "endpoint": made.endpoint, "status": status, "input_file_id": "f"}
        shown |= {"created_at": int(made.created), "metadata": made.metadata, "completion_window": "24h"}
        if made.errors and over:
            shown["errors"] = {"object": "list", "data": made.errors}
        elif over:
            shown |= self._files_of(made)
        done = total if over else min(made.looks, total)
        return {**shown, "request_counts": {"total": total, "completed": done, "failed": 0}}

    def _files_of(self, made: Made) -> dict[str, str]:
        """The files of a batch that has ended: none where it would be empty."""
        good: list[dict[str, Any]] = []
        bad: list[dict[str, Any]] = []
        for name, body in reversed(made.bodies.items()):
            fate = self.fate(body)
            line: dict[str, Any] = {"id": f"req_{name}", "custom_id": name, "response": None, "error": None}
            if isinstance(fate, list):
                build = response if "responses" in made.endpoint else completion
                good.append({**line, "response": {"status_code": 200, "body": build(body, fate)}})
            elif isinstance(fate, Raw):
                bad.append({**line, "response": {"status_code": fate.status, "body": fate.body}})
            elif fate != "lost":
                bad.append({**line, "error": {"code": f"batch_{fate}", "message": f"This request {fate}."}})
        named = {"output_file_id": good, "error_file_id": bad}
        return {name: self._file(_lines(lines)) for name, lines in named.items() if lines}

    def _anthropic(self, made: Made) -> dict[str, Any]:
        over, total = self._over(made), len(made.bodies)
        date = datetime.fromtimestamp(made.created, UTC).isoformat().replace("+00:00", "Z")
        counts = {"processing": 0 if over else total, "succeeded": total if over else 0}
        return {
            "id": made.id,
            "type": "message_batch",
            "processing_status": "ended" if over else "in_progress",
            "request_counts": {**counts, "errored": 0, "canceled": 0, "expired": 0},
            "created_at": date,
            "expires_at": date,
            "results_url": "http://elsewhere.invalid/results" if over else None,
        }

    # ---- results

    async def _content(self, http: web.Request) -> web.StreamResponse:
        if what := self._troubled():
            return _raw(what)
        return web.Response(body=self.files[http.match_info["id"]], content_type="application/octet-stream")

    async def _results(self, http: web.Request) -> web.StreamResponse:
        if what := self._troubled():
            return _raw(what)
        made = next(made for made in self.made if made.id == http.match_info["id"])
        found: list[dict[str, Any]] = []
        for name, body in reversed(made.bodies.items()):
            fate = self.fate(body)
            if isinstance(fate, list):
                result = {"type": "succeeded", "message": message(body, [block(item) for item in fate])}
            elif isinstance(fate, Raw):
                result = {"type": "errored", "error": fate.body}
            else:
                result = {"type": {"cancelled": "canceled"}.get(fate, fate)}
            if fate != "lost":
                found.append({"custom_id": name, "result": result})
        return web.Response(body=_lines(found), content_type="application/x-jsonl")

    def _file(self, data: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = data
        return name


def _lines(found: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in found)


def _raw(answer: Raw) -> web.Response:
    if isinstance(answer.body, str):
        return web.Response(status=answer.status, text=answer.body, headers={"content-type": "text/html"})
    return web.json_response(answer.body, status=answer.status, headers=dict(answer.headers))
