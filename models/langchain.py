"""Any LangChain chat model: ``vl.solve(…, model=ChatX(…))``, also a bound one (``ChatX(…).bind(…)``).

LangChain has no neutral way to set a temperature for one call: some integrations send unknown arguments on, others fail
on them. So a request's temperature, top_p and limit on tokens go into the fields of these names of a copy of the model;
what is bound stays as it is bound. A parameter that the provider or the integration refuses by name is learned: the
request goes again without it, and every reply that did without it says so.

Give the model ``max_retries=0``: retries are the gateway's, which neither sees nor counts those inside a model. A model
without an asynchronous call of its own runs in a thread, which cancelling cannot stop. Not covered: schemas (they are
asked for in words), seeds, log-probabilities, tools besides those that are bound already.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import aclosing
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..core.errors import CapabilityError, ModelError, TransientModelError, UsageError
from ..core.messages import Capabilities, Reply, Request
from ..core.protocols import Heard
from . import chat, langchain_data
from .capabilities import refuse
from .endpoint import LONGEST_MESSAGE, Endpoint, as_mapping, causes_of, retry_after
from .openai_dialect import finds_fault

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

FIELDS = {
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "max_tokens": ("max_tokens", "max_output_tokens", "num_predict", "max_new_tokens"),
}
"""What a request sets, and the fields that integrations have for it."""
NAMES = ("model_name", "model", "model_id", "deployment_name")
"""The fields in which integrations keep a model's name."""
PASSING = re.compile(
    r"RateLimit|TooManyRequests|ResourceExhausted|Throttl|Overloaded|ServiceUnavailable|InternalServer"
    r"|^ServerError$|Time-?out|DeadlineExceeded|Connect|RemoteProtocol|ServerDisconnected|ReadError|WriteError"
)
"""Names of errors that may pass, where an integration gives no status."""
BUSY = re.compile(r"RateLimit|TooManyRequests|ResourceExhausted|Throttl|Overloaded")
LASTING = re.compile(r"CertVerification|CertificateError")
UNSENT = re.compile(r"ConnectTimeout|ConnectError|ConnectionRefused|ClientConnector|ConnectionTimeoutError|gaierror")
"""Names of errors before a request is out: nothing can have to be paid."""
SECRET = re.compile(r"(key|token|secret|password)$")


def wrapped(found: object) -> LangChain | None:
    """A LangChain chat model as a model; none for what LangChain did not make. Raises ``UsageError`` for a chain.

    Does not import LangChain: who made the object has.
    """
    base = sys.modules.get("langchain_core.runnables.base")
    return LangChain(found) if base is not None and isinstance(found, base.Runnable) else None


class LangChain:
    """A LangChain chat model, bound or not, named ``langchain:CLASS/MODEL``: settings give its price by this name.

    Its ``profile``, where the integration has one, says whether it reads pictures, calls tools and has a temperature.
    A wrapped model remembers what was refused; one that is passed bare learns it anew in every run. Raises
    ``UsageError`` for any other runnable.
    """

    def __init__(self, model: Any) -> None:
        from langchain_core.language_models.chat_models import BaseChatModel

        inner, bound = _opened(model)
        if not isinstance(inner, BaseChatModel):
            raise UsageError(f"{type(inner).__name__} is a runnable and no chat model: give the chat model alone")
        kind, profile = type(inner), as_mapping(inner.profile)
        called = next((name for each in NAMES if isinstance(name := getattr(inner, each, None), str) and name), "")
        self.name = "/".join(filter(None, (f"langchain:{kind.__name__}", str(bound.get("model") or called))))
        self.address = self.name
        self._model, self._inner = model, inner
        self._fields = {knob: field for knob, field in _fields(kind) if not bound.keys() & {knob, field}}
        if not profile.get("temperature", True):
            self._fields.pop("temperature", None)
        streams = not inner.disable_streaming and _overrides(kind, BaseChatModel, "_stream", "_astream")
        self.capabilities = Capabilities(
            images=bool(profile.get("image_inputs", True)),
            tools=bool(profile.get("tool_calling", True))
            and "tools" not in bound
            and _overrides(kind, BaseChatModel, "bind_tools"),
            streaming=streams,
            temperature="temperature" in self._fields,
        )
        self.stream: Callable[[Request, Heard], Coroutine[Any, Any, Reply]] | None = self._ask if streams else None
        self._faults = Endpoint("the model", self.name, "its key", "", "where it has one")
        settings = [(name, getattr(inner, name, None)) for name in kind.model_fields]
        self._secrets = tuple(_secrets([*settings, *bound.items()]))
        self._learned: dict[str, str] = {}
        self._copies = lru_cache(maxsize=64)(self._copy)

    async def generate(self, request: Request) -> Reply:
        """Ask for one sample."""
        return await self._ask(request, None)

    async def _ask(self, request: Request, heard: Heard | None) -> Reply:
        """One call of the model, and one more for each parameter that it turns out to refuse."""
        refuse(self.name, self.capabilities, request)
        refused: dict[str, str] = {}
        lasting: dict[str, str] = {}
        while True:
            gone = self._learned | refused
            sent = {name: value for name, value in _wanted(request).items() if name not in gone and self._takes(name)}
            try:
                reply = self._reply(request, await self._call(request, sent, heard), gone)
            except Exception as error:
                names = self._refused(error, sent)
                if not names:
                    raise self._error(error) from None
                name = names[0]
                refused[name] = f"{self.name} refuses {name}: {chat.INSTEAD.get(name, 'it was left out')}"
                if len(names) == 1:  # else it may be the two together that are refused
                    lasting[name] = refused[name]
            else:
                self._learned |= lasting
                return reply

    def _takes(self, name: str) -> bool:
        return name in self._fields or name not in FIELDS

    async def _call(self, request: Request, sent: dict[str, Any], heard: Heard | None) -> AIMessage:
        fields = {self._fields[name]: value for name, value in sent.items() if name in self._fields}
        model = self._copies(tuple(fields.items()))
        if "tools" in sent:
            model = _around(self._model, langchain_data.with_tools(model, request.tools, sent.get("tool_choice")))
        else:
            model = _around(self._model, model)
        messages = langchain_data.messages(request.messages, self.name)
        options = {"stop": list(request.stop)} if "stop" in sent else {}
        nobody: Any = {"callbacks": []}  # who listens to the caller's chain or graph does not listen to the run
        if heard is None:
            return await model.ainvoke(messages, nobody, **options)
        chunks: list[Any] = []
        async with aclosing(model.astream(messages, nobody, **options)) as stream:
            async for chunk in stream:
                chunks.append(chunk)
                heard(0, str(chunk.text))
        return chunks[0] + chunks[1:] if chunks[1:] else chunks[0]

    def _copy(self, fields: tuple[tuple[str, Any], ...]) -> Any:
        """The model with these fields. Out of LangChain's cache, a sample would be the same sample again."""
        from langchain_core.globals import get_llm_cache

        cached = self._inner.cache or (self._inner.cache is None and get_llm_cache() is not None)
        changed = {name: value for name, value in fields if getattr(self._inner, name) != value}
        changed |= {"cache": False} if cached else {}
        return self._inner.model_copy(update=changed) if changed else self._inner

    def _refused(self, error: Exception, sent: dict[str, Any]) -> list[str]:
        """The parameter among ``sent`` that an error refuses, if any, and then others that it names.

        Raises ``CapabilityError`` where it is the tools.
        """
        words, status = _words(error), _status(error)
        if status not in (400, 422) and (status is not None or not isinstance(error, TypeError | ValueError)):
            return []
        names = {name: {name, *FIELDS.get(name, ())} for name in sent}
        places = {
            name: place.start()
            for name, called in names.items()
            if (place := re.search(rf"(?<![\w\\.])({'|'.join(called)})(?![\w\[.])", words))
        }
        found = sorted(places, key=lambda name: places[name])
        if not found or finds_fault(words):
            return []
        if found[0] == "tools":
            raise CapabilityError(f"{self.name} does not offer tools: {self._say(words)}")
        return found

    def _reply(self, request: Request, message: AIMessage, gone: Mapping[str, str]) -> Reply:
        sample, notes = langchain_data.sample(message, request.stop, self.name), list[str]()
        for name in _wanted(request):
            if name in gone:
                notes.append(gone[name])
            elif name in ("top_p", "max_tokens") and name not in self._fields:
                notes.append(f"{self.name} has no {name}: it was left out")
        usage = langchain_data.usage(message)
        if usage is None:
            notes.append(f"{self.name} {chat.NO_USAGE}")
        return Reply((sample,), usage or chat.estimate(request, [sample]), tuple(notes))

    def _say(self, words: str) -> str:
        """One line without the model's secrets."""
        for secret in self._secrets:
            words = words.replace(secret, "[key]")
        return " ".join(words.split())[:LONGEST_MESSAGE]

    def _error(self, error: Exception) -> ModelError:
        """An integration's error as the one it stands for."""
        words, status = self._say(_words(error)), _status(error)
        kinds = " ".join(kind.__name__ for each in causes_of(error) for kind in type(each).__mro__)
        passing = getattr(error, "is_retryable", False) or any(map(PASSING.search, kinds.split()))
        passing = passing and not LASTING.search(kinds)
        if status is not None and (status in (408, 409, 429) or status >= 500 or not passing):
            quota = getattr(error, "code", None) == "insufficient_quota"
            return self._faults.refused(status, _headers(error), words, quota)
        *_, cause = causes_of(error)
        words = words if cause is error else self._say(f"{words} ({cause})")
        said = f"{self.name} failed: {type(error).__name__}: {words}"
        if not passing:
            return ModelError(said)
        busy = BUSY.search(kinds) is not None
        unsettled = not busy and UNSENT.search(kinds) is None
        return TransientModelError(said, retry_after(_headers(error)), unsettled, busy)


def _opened(model: Any) -> tuple[Any, dict[str, Any]]:
    """What is bound, at the core, and the arguments that are bound to it; those further out count."""
    if not _is_binding(model):
        return model, {}
    inner, bound = _opened(model.bound)
    return inner, {**bound, **model.kwargs}


def _around(model: Any, inner: Any) -> Any:
    """``model`` with ``inner`` in place of the chat model at its core."""
    return model.model_copy(update={"bound": _around(model.bound, inner)}) if _is_binding(model) else inner


def _is_binding(model: object) -> bool:
    from langchain_core.runnables.base import RunnableBindingBase

    return isinstance(model, RunnableBindingBase)


def _fields(kind: Any) -> Iterator[tuple[str, str]]:
    for knob, names in FIELDS.items():
        if found := next((name for name in names if name in kind.model_fields), None):
            yield knob, found


def _overrides(kind: type, base: type, *methods: str) -> bool:
    return any(getattr(kind, method) is not getattr(base, method) for method in methods)


def _secrets(settings: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """What no error may repeat of a model's settings (what is shorter is a placeholder, not a secret)."""
    for name, value in settings:
        hidden = [reveal()] if (reveal := getattr(value, "get_secret_value", None)) else []
        hidden += [value] if SECRET.search(name) else []
        hidden += as_mapping(value).values() if "headers" in name else []
        words = [each.split()[-1] for each in hidden if isinstance(each, str) and each.strip()]  # of "Bearer KEY", KEY
        yield from (each for each in words if len(each) >= 8)


def _wanted(request: Request) -> dict[str, Any]:
    """What a request sets, by name."""
    optional = {
        "top_p": request.top_p if request.top_p != 1.0 else None,
        "stop": request.stop or None,
        "tools": request.tools or None,
        "tool_choice": "none" if request.tools and request.tool_choice == "none" else None,
    }
    always = {"temperature": request.temperature, "max_tokens": request.max_tokens}
    return {**always, **{name: value for name, value in optional.items() if value is not None}}


def _status(error: Exception) -> int | None:
    """The HTTP status that an error, or what caused it, knows."""
    for each in causes_of(error):
        answer = getattr(each, "response", None)
        told = as_mapping(as_mapping(answer).get("ResponseMetadata")).get("HTTPStatusCode")  # boto's errors
        known = [getattr(each, name, None) for name in ("status_code", "http_status", "status", "code")]
        for status in (*known, getattr(answer, "status_code", None), told):
            if isinstance(status, int) and 400 <= status < 600:
                return int(status)
    return None


def _headers(error: Exception) -> Mapping[str, str]:
    """The headers of the response that an error is about."""
    for each in causes_of(error):
        answer = getattr(each, "response", None)
        told = as_mapping(as_mapping(answer).get("ResponseMetadata")).get("HTTPHeaders")
        headers: Any = told or getattr(answer, "headers", None) or getattr(each, "headers", None)
        if hasattr(headers, "get"):
            return headers
    return {}


def _words(error: Exception) -> str:
    """What went wrong: the provider's own words where an error has them apart."""
    body = as_mapping(getattr(error, "body", None))
    said = (as_mapping(body.get("error")) or body).get("message")
    return str(said or error)
