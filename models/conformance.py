"""Does a model keep its promises? ``check`` asks it about everything that ``Capabilities`` can declare.

    for line in asyncio.run(check(MyModel())): print(*line, sep="\\t")

Costs about twenty short calls. Each line *works*, or is *n/a*: not declared, and refused before a call.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

from ..core.budget import Budget
from ..core.conformance import Broken, Line, cancelled, expect
from ..core.errors import CapabilityError, VeriloopError
from ..core.events import Emitter, Noticed
from ..core.journal import RunLog
from ..core.messages import Image, Message, Reply, Request, Text, ToolSpec
from ..core.protocols import Heard, Model
from ..core.task import Limits
from .chat import NO_USAGE
from .desk import Desk
from .gateway import Gateway

RED_SQUARE = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAJ0lEQVR42u3NsQkAAAjAsP7/tF7hIASy"
    "p6lTCQQCgUAgEAgEgi/BAjLD/C5w/SM9AAAAAElFTkSuQmCC"
)
"""A picture of 32 by 32 pixels (PNG, base64)."""
NOT_REFUSED = {
    "seed": "not declared",
    "temperature": "not declared: the provider sets it",
    "streaming": "not declared: replies come whole",
}
"""What a model may lack and yet take a request for: nothing is asked for in vain."""
INTEGER = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
WEATHER = ToolSpec(
    "get_weather",
    "Tells the weather in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
)


HELLO = Request(messages=(Message("user", "Say hello."),), max_tokens=64)
"""What every model can answer."""


async def check(model: Model, tell: Callable[[str], None] | None = None) -> list[Line]:
    """Ask ``model`` for one thing after the other; ``tell`` gets the name of each before. Never raises for what the
    model does."""
    lines: list[Line] = []
    for name, probe in PROBES.items():
        if tell is not None:
            tell(name)
        lines.append(await _line(model, name, probe))
    return lines


async def _line(model: Model, name: str, probe: Probe) -> Line:
    declared = getattr(model.capabilities, name, True)
    try:
        if not declared and name in NOT_REFUSED:
            return Line(name, "n/a", NOT_REFUSED[name])
        detail = await probe(model)
    except CapabilityError as error:
        return Line(name, "fails" if declared else "n/a", str(error))
    except Broken as broken:
        return Line(name, "fails", str(broken))
    except Exception as error:
        return Line(name, "fails", f"{type(error).__name__}: {error}")
    return Line(name, "works", detail) if declared else Line(name, "fails", "not declared, yet not refused")


def _request(text: str = "Say hello.", *, picture: bool = False) -> Request:
    content = (Text(text), Image(RED_SQUARE)) if picture else text
    return Request(messages=(Message("user", content),), max_tokens=64)


async def _one(model: Model, request: Request) -> str:
    reply = await model.generate(request)
    expect(len(reply.samples) == request.n, f"{len(reply.samples)} samples for n = {request.n}")
    return reply.samples[0].text


async def _text(model: Model) -> str:
    text = await _one(model, _request())
    expect(bool(text.strip()), "an empty reply")
    return repr(text[:40])


async def _n(model: Model) -> str:
    asked = replace(_request(), seeds=(1, 2, 3))
    if not model.capabilities.n:
        return await _one(model, asked)
    notices: list[str] = []
    emit = Emitter("check", (lambda event: notices.append(event.text) if isinstance(event, Noticed) else None,))
    desk = Desk(Gateway({"proposer": model}, RunLog("check"), Budget(Limits()), emit), "check")
    await _one(desk.model("proposer"), asked)
    return "; ".join(notices) or "3 samples of one request"


async def _stop(model: Model) -> str:
    text = await _one(model, replace(_request("Count: 1, 2, 3, 4, 5, 6, 7, 8, 9."), stop=("5",)))
    expect("5" not in text, f"the stop text is in the reply: {text[:60]!r}")
    return repr(text[:40])


async def _same(model: Model, request: Request) -> str:
    first, second = await _one(model, request), await _one(model, request)
    expect(first == second, f"two calls differ: {first[:40]!r}, {second[:40]!r}")
    return repr(first[:40])


async def _seed(model: Model) -> str:
    return await _same(model, replace(_request("Name a colour and an animal."), seeds=(11,), temperature=1.0))


async def _temperature(model: Model) -> str:
    return await _same(model, replace(_request("Name a colour and an animal."), temperature=0.0))


async def _schema(model: Model) -> str:
    text = await _one(model, replace(_request("How many legs has a spider?"), schema=INTEGER))
    try:
        value = json.loads(text)
    except ValueError:
        raise Broken(f"not JSON: {text[:60]!r}") from None
    answer = cast("dict[str, object]", value).get("answer") if isinstance(value, dict) else None
    expect(isinstance(answer, int), f"JSON that does not fit the schema: {text[:60]!r}")
    return text[:40]


async def _tools(model: Model) -> str:
    request = replace(_request("What is the weather in Paris? Use the tool."), tools=(WEATHER,))
    calls = (await model.generate(request)).samples[0].tool_calls
    expect(bool(calls), "no tool call")
    expect(calls[0].name == WEATHER.name and "city" in calls[0].arguments, f"a wrong call: {calls[0]}")
    results = tuple(Message("tool", "Sunny.", "tool", tool_call_id=call.id) for call in calls)
    await model.generate(
        replace(request, messages=(*request.messages, Message("assistant", "", "reply", tool_calls=calls), *results))
    )
    return f"{calls[0].name}({dict(calls[0].arguments)}), and its result was taken"


async def _logprobs(model: Model) -> str:
    logprob = (await model.generate(replace(_request(), logprobs=True))).samples[0].logprob
    if logprob is None or logprob > 0:
        raise Broken(f"a log-probability of {logprob}")
    return f"{logprob:.3f}"


async def _prefix(model: Model) -> str:
    prefix = "Hello, my dear"
    text = await _one(model, replace(_request(), prefix=prefix))
    expect(not text.startswith(prefix), "the reply repeats the prefix instead of continuing it")
    return repr(text[:40])


async def _images(model: Model) -> str:
    return repr((await _one(model, _request("What colour is this?", picture=True)))[:40])


async def _streaming(model: Model) -> str:
    heard: list[str] = []
    stream: Stream | None = getattr(model, "stream", None)
    if stream is None:
        raise Broken("declared, yet there is no stream(request, heard)")
    reply = await stream(_request(), lambda _, text: heard.append(text))
    text = reply.samples[0].text
    expect("".join(heard) == text, f"the pieces give {''.join(heard)[:40]!r}, the reply says {text[:40]!r}")
    return f"{len(heard)} pieces"


async def _errors(model: Model) -> str:
    """What cannot be answered is told in one line of ours, whatever the provider's library raises."""
    nonsense = Message("tool", "4", "tool", tool_call_id="never-asked")
    wrong = Request(messages=(nonsense,), max_tokens=64)
    try:
        await model.generate(wrong)
    except VeriloopError as error:
        expect("\n" not in str(error), f"an error of several lines: {error}")
        return str(error)[:60]
    return "a tool's result that nobody asked for is taken"


async def _usage(model: Model) -> str:
    reply = await model.generate(_request())
    usage, estimated = reply.usage, [note for note in reply.notes if note.endswith(NO_USAGE)]
    expect(not estimated, "; ".join(estimated))
    expect(usage.tokens_in > 0 and usage.tokens_out > 0, f"no tokens counted: {usage}")
    return f"{usage.tokens_in} in, {usage.tokens_out} out"


async def _cancel(model: Model) -> str:
    how = await cancelled(model.generate(replace(_request("Tell a long story."), max_tokens=512)))
    await _text(model)
    return how


Stream = Callable[[Request, Heard], Awaitable[Reply]]
Probe = Callable[[Model], Awaitable[str]]
PROBES: dict[str, Probe] = {
    "text": _text,
    "n": _n,
    "stop": _stop,
    "seed": _seed,
    "temperature": _temperature,
    "schema": _schema,
    "tools": _tools,
    "logprobs": _logprobs,
    "prefix": _prefix,
    "images": _images,
    "streaming": _streaming,
    "usage": _usage,
    "errors": _errors,
    "cancel": _cancel,
}
"""What is asked, by name; a name that is a field of ``Capabilities`` is asked of models that declare it."""
