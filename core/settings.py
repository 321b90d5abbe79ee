"""veriloop's own settings: environment variables ``VERILOOP_…`` over a TOML file. The one module of core that needs
pydantic at import; nothing else in core imports it."""

from __future__ import annotations

import os
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from .errors import UsageError, meant, plain
from .provider import Price, Rate, Timeouts


class Settings(BaseSettings):
    """What can be set. ``home`` is the data folder, ``store`` the SQLAlchemy URL of finished runs (default: a SQLite
    file in ``home``), ``strategy`` the default one (else ``iad`` where there is a verifier, ``single`` where not),
    ``prices`` overrides or adds prices by model name, ``limits`` says what a provider allows a model, ``timeouts`` how
    long to wait, ``cache`` keeps replies across runs, ``sandbox`` is where code of a model runs (``auto``,
    ``bubblewrap`` or ``docker``), ``sandbox_image`` Docker's image for it."""

    model_config = SettingsConfigDict(env_prefix="VERILOOP_", extra="forbid")

    home: Path | None = None
    store: str = ""
    model: str = "embedded:sql"
    strategy: str = ""
    prices: dict[str, Price] = {}
    timeouts: Timeouts = Timeouts()
    limits: dict[str, Rate] = {}
    cache: bool = False
    sandbox: str = "auto"
    sandbox_image: str = "python:3.12-slim"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, settings_file())

    @property
    def folder(self) -> Path:
        """The data folder."""
        if self.home is not None:
            return self.home.expanduser()
        from platformdirs import user_data_path

        return user_data_path("veriloop", appauthor=False)


VARIABLES = ("VERILOOP_SETTINGS", *(f"VERILOOP_{name.upper()}" for name in Settings.model_fields))
ELSEWHERE = ("VERILOOP_TRANSFORMERS_DEVICE", "VERILOOP_TRANSFORMERS_DTYPE")
"""Variables that are read by the models they are for."""


def settings_file() -> Path:
    """The settings file: what ``VERILOOP_SETTINGS`` names, else ``veriloop.toml`` in the current folder."""
    return Path(os.environ.get("VERILOOP_SETTINGS") or "veriloop.toml")


def load() -> Settings:
    """The settings. Raises ``UsageError`` naming the file or variable that cannot be read."""
    file = settings_file()
    try:
        stamp = os.stat(file).st_mtime_ns
    except OSError:
        stamp = 0
    return _load(file, stamp, (os.getcwd(), *map(os.environ.get, VARIABLES)))


@lru_cache(maxsize=4)
def _load(file: Path, stamp: int, variables: tuple[str | None, ...]) -> Settings:
    """Read once for each state of file and environment: a program may solve thousands of tasks a minute."""
    _refuse_strangers()
    if os.environ.get("VERILOOP_SETTINGS") and not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        raise UsageError(f"settings file {file} {what}; VERILOOP_SETTINGS names it")
    try:
        return Settings()
    except ValidationError as error:
        raise _invalid(file, error) from error
    except SettingsError as error:
        name = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "…").upper()
        raise UsageError(f"VERILOOP_{name} cannot be read, it must be JSON: {error.__cause__}") from error
    except (ValueError, OSError) as error:
        raise UsageError(f"cannot read the settings in {file}: {plain(error)}") from error


def _refuse_strangers() -> None:
    """A variable that is spelled wrong would be set in vain."""
    for name in os.environ:
        if name.upper().startswith("VERILOOP_") and name.upper() not in (*VARIABLES, *ELSEWHERE):
            raise UsageError(
                f"there is no setting {name}{meant(name, VARIABLES)}; there are {', '.join(VARIABLES)}: unset it"
            )


def _invalid(file: Path, error: ValidationError) -> UsageError:
    first = error.errors()[0]
    said = first["msg"].removeprefix("Value error, ")
    where = ".".join(map(str, first["loc"]))
    variable = f"VERILOOP_{str(first['loc'][0]).upper()}"
    known = Settings.model_fields
    parts = {"timeouts": Timeouts, "limits": Rate, "prices": Price}
    if first["type"] == "unexpected_keyword_argument":
        names = [field.name for field in fields(parts[str(first["loc"][0])])]
        said = f"there is no {first['loc'][-1]!r}{meant(str(first['loc'][-1]), names)}; there are {', '.join(names)}"
    if first["type"] == "extra_forbidden":
        return UsageError(f"{file}: there is no setting {where!r}{meant(where, known)}; there are {', '.join(known)}")
    return UsageError(f"setting {where!r} ({file} or {variable}): {said}")
