"""What fails between us and a server, in words, and the settings that say which server it is."""

from __future__ import annotations

import asyncio
import socket
import ssl
import traceback
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer, Drop, Raw
from loopback_client import ask, failure, request

from veriloop.core.errors import TransientModelError, UsageError
from veriloop.models.catalogue import catalogue
from veriloop.models.endpoint import Endpoint, read_json
from veriloop.models.openai import OpenAI

CANARY = "sk-canary-0123456789"


# ---- errors


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_is_transient(status: int):
    assert isinstance(failure(status), TransientModelError)


@pytest.mark.parametrize(
    ("status", "words"), [(400, "refuses"), (401, "OPENAI_API_KEY"), (403, "allow"), (404, "/v1"), (418, "refuses")]
)
def test_what_will_not_pass_says_what_to_do(status: int, words: str):
    error = failure(status)
    assert not isinstance(error, TransientModelError)
    assert words in str(error)
    assert "http://127.0.0.1:" in str(error)


def test_a_spent_quota_does_not_pass_by_waiting():
    error = failure(Raw(429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}))
    assert not isinstance(error, TransientModelError)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_wait_a_server_asks_for_is_passed_on(headers: dict[str, str], seconds: float | None):
    error = failure(Raw(429, "slow down", headers))
    assert isinstance(error, TransientModelError)
    assert error.retry_after == seconds


def unreached(base_url: str, **settings: Any) -> TransientModelError:
    with pytest.raises(TransientModelError) as caught:
        asyncio.run(OpenAI("m", base_url=base_url, **settings).generate(request()))
    return caught.value


def test_a_refused_connection_asks_whether_the_server_runs():
    error = unreached("http://127.0.0.1:9/v1")
    assert str(error) == "cannot reach http://127.0.0.1:9/v1: connection refused; is the server running?"


def test_an_unknown_host_is_named():
    error = ConnectionError("cannot connect")
    error.__cause__ = socket.gaierror(-2, "Name or service not known")
    said = Endpoint("openai:m", "http://nowhere/v1", "KEY", "").unreachable(error, 5, 120)
    assert str(said) == "cannot reach http://nowhere/v1: unknown host; check the base url and the network"
    assert isinstance(said, TransientModelError)


def test_a_certificate_that_cannot_be_verified_does_not_pass():
    error = ssl.SSLCertVerificationError("self-signed certificate")
    said = Endpoint("openai:m", "https://here/v1", "KEY", "").unreachable(error, 5, 120)
    assert not isinstance(said, TransientModelError)


def test_a_silent_server_is_given_up():
    async def run() -> None:
        async with ChatServer(latency=5) as server:
            with pytest.raises(TransientModelError, match=r"gave no answer within 0\.1 s"):
                await OpenAI("m", base_url=server.base_url, total=0.1).generate(request())

    asyncio.run(run())


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", b"no http at all\r\n\r\n"])
def test_a_connection_that_breaks_is_transient(sent: bytes):
    assert isinstance(failure(Drop(sent)), TransientModelError)


def test_the_key_is_sent_and_never_shown():
    _, server = ask(request(), api_key=CANARY)
    assert server.requests[0].headers["Authorization"] == f"Bearer {CANARY}"
    words = "x" * 280 + f" wrong key {CANARY}"
    for status in (400, 401, 403, 404, 429, 500):
        error = failure(Raw(status, {"error": {"message": words}}), api_key=CANARY)
        assert "sk-can" not in str(error)
        assert "sk-can" not in "".join(traceback.format_exception(error))
    assert CANARY not in repr(OpenAI("m", api_key=CANARY))
    assert CANARY not in repr(Endpoint("m", "http://here/v1", "KEY", CANARY))


def test_json_that_is_nested_too_deep_is_none():
    with pytest.raises(ValueError, match="too deep"):
        read_json("[" * 100_000)


# ---- settings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    with ChatServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", CANARY)
        monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin")
        asyncio.run(OpenAI("m").generate(request()))
        assert server.requests[0].headers["Authorization"] == f"Bearer {CANARY}"


def test_the_key_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "key"
    file.write_text(f"{CANARY}\n")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(file))
    _, server = ask(request())
    assert server.requests[0].headers["Authorization"] == f"Bearer {CANARY}"
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="OPENAI_API_KEY_FILE"):
        OpenAI("m")


def test_a_missing_key_names_the_setting():
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        OpenAI("gpt-5").ready()


def test_another_server_needs_no_key():
    _, server = ask(request())
    assert server.requests[0].headers["Authorization"] == "Bearer none"


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "127.0.0.1:8000"},
        {"base_url": "http://me:secret@x/v1"},
        {"base_url": "me:secret@x/v1"},
        {"api_key": "sk-…"},
        {"api_key": "a\nb"},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, str]):
    with pytest.raises(UsageError) as caught:
        OpenAI("m", **settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://127.0.0.1:abc/v1",
        "http://127.0.0.1:99999/v1",
        "http://127.0.0.1:0/v1",
        "http://here\0/v1",
        "http://he re/v1",
        "http://:80/v1",
        f"http://{'a' * 64}.com/v1",
        "http://a..b/v1",
    ],
)
def test_a_url_that_cannot_be_is_refused(url: str):
    with pytest.raises(UsageError, match="cannot be: check its host and port"):
        OpenAI("m", base_url=url)


@pytest.mark.parametrize(
    "url", ["http://[::1]:80/v1", "https://bücher.example/v1", "http://my_host:8000", "http://h/a%20b"]
)
def test_a_url_that_can_be_is_taken(url: str):
    assert OpenAI("m", base_url=url).address == url


SECRET_URL = "the base url holds a user name, a password or a query: leave it out, give a key in OPENAI_API_KEY"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (
            "http://me:secret@x/v1",
            SECRET_URL,
        ),
        (
            "me:secret@x/v1",
            SECRET_URL,
        ),
        ("http://x/v1?key=secret", SECRET_URL),
        ("http://x:8000/v1", "ready: http://x:8000/v1"),
        ("", "OPENAI_API_KEY is not set: set it, or name another server in OPENAI_BASE_URL"),
    ],
)
def test_the_catalogue_tells_the_server_and_no_secret(url: str, status: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    assert [line.status for line in catalogue() if line.name == "openai:MODEL"] == [status]
