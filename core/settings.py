"""veriloop's own settings: environment variables ``VERILOOP_…`` over a TOML file. The one module of core that needs
pydantic at import; nothing else in core imports it."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from .errors import UsageError


class PriceSetting(BaseModel):
    """A model's price in US dollars per million tokens."""

    input: float
    output: float
    cached: float | None = None


class Settings(BaseSettings):
    """What can be set. ``home`` is the data folder, ``store`` the SQLAlchemy URL of finished runs (default: a SQLite
    file in ``home``), ``strategy`` the default one (else ``iad`` where there is a verifier, ``single`` where not),
    ``prices`` overrides or adds prices by model name."""

    model_config = SettingsConfigDict(env_prefix="VERILOOP_", extra="forbid")

    home: Path | None = None
    store: str = ""
    model: str = "embedded:sql"
    strategy: str = ""
    prices: dict[str, PriceSetting] = {}

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
    return _load(file, stamp, tuple(map(os.environ.get, VARIABLES)))


@lru_cache(maxsize=4)
def _load(file: Path, stamp: int, variables: tuple[str | None, ...]) -> Settings:
    """Read once for each state of file and environment: a program may solve thousands of tasks a minute."""
    if os.environ.get("VERILOOP_SETTINGS") and not file.is_file():
        raise UsageError(f"settings file {file} does not exist; VERILOOP_SETTINGS names it")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise UsageError(
                f"{file}: there is no setting {where!r}; there are {', '.join(Settings.model_fields)}"
            ) from error
        raise UsageError(f"setting {where!r} ({file} or VERILOOP_{where.upper()}): {first['msg']}") from error
    except (ValueError, OSError) as error:
        raise UsageError(f"cannot read the settings ({file}, or a VERILOOP_ variable): {error}") from error
