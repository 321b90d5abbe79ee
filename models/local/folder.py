"""What a model's files say before anything is loaded: are they all there, does it take pictures and tools?"""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from ...core.errors import UsageError

TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json")
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
TEMPLATES = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json", "additional_chat_templates")
INSTALL = "pip install 'veriloop[local]'"


def looks_like_path(model: str) -> bool:
    """Whether ``model`` can only be a folder: a hub id is ``name`` or ``owner/name``."""
    return model.startswith((".", "/", "~", os.sep)) or model.endswith("/") or model.count("/") > 1 or "\\" in model


def locate(model: str) -> Path | None:
    """The folder of ``model``, a path or a hub id; none where a hub id is not on this machine (yet)."""
    folder = Path(model).expanduser()
    if folder.is_dir() or looks_like_path(model) or find_spec("huggingface_hub") is None:
        return folder if folder.is_dir() else None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, "config.json")
    except HFValidationError:
        return None
    folder = Path(found).parent if isinstance(found, str) else None
    return folder if folder is not None and not missing(folder) else None


def missing(folder: Path) -> str:
    """What the weights lack, in words; empty when the files are all there."""
    if (folder / "model.safetensors").is_file():
        return ""
    index = read_json(folder / "model.safetensors.index.json").get("weight_map")
    parts = cast("dict[str, str]", index) if isinstance(index, dict) else {}
    lost = sorted({str(part) for part in parts.values() if not (folder / str(part)).is_file()})
    if lost:
        return f"not all of its weights: {lost[0]} is missing"
    if parts:
        return ""
    pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
    return (
        "only pickled weights, which could run code: convert them to safetensors" if pickled else "no model.safetensors"
    )


def check(name: str, model: str) -> None:
    """Raise ``UsageError`` when ``model`` cannot work: packages, folder or files are missing. Loads nothing."""
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise UsageError(f"{name} needs {package}: {INSTALL}")
    folder = locate(model)
    if folder is not None:
        check_folder(name, folder)
    elif looks_like_path(model):
        raise UsageError(f"{name}: there is no folder {model}")
    elif offline():
        raise UsageError(
            f"{name} is not on this machine, and the hub is switched off (HF_HUB_OFFLINE); {instead(model)}"
        )


def offline() -> bool:
    """Whether the environment forbids the hub."""
    values = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value.upper() in ("1", "ON", "YES", "TRUE") for value in values)


def instead(model: str) -> str:
    """What to do about a hub id that cannot be had."""
    return f"download it where there is a network (hf download {model}), or give a folder"


def check_folder(name: str, folder: Path) -> None:
    """Raise ``UsageError`` when ``folder`` lacks a config, weights in safetensors or a tokenizer."""
    if not (folder / "config.json").is_file():
        raise UsageError(f"{name}: {folder} holds no config.json; give the folder of a model for transformers")
    if (config := read_json(folder / "config.json")) and "model_type" not in config:
        embedded = name.replace("transformers:", "embedded:", 1)
        raise UsageError(f"{name}: its config.json names no model_type; is it an embedded model? Write {embedded}")
    if lost := missing(folder):
        raise UsageError(f"{name}: {folder} holds {lost}")
    if not any((folder / file).is_file() for file in TOKENIZERS):
        raise UsageError(f"{name}: {folder} holds no tokenizer (tokenizer.json)")


def takes_pictures(folder: Path) -> bool:
    """Whether the model has eyes, and the files that prepare pictures and place them in a chat."""
    eyes = "vision_config" in read_json(folder / "config.json")
    return eyes and any((folder / file).is_file() for file in PROCESSORS) and bool(_templates(folder))


def takes_tools(folder: Path) -> bool:
    """Whether the chat template mentions tools."""
    return "tools" in _templates(folder)


def _templates(folder: Path) -> str:
    """All chat templates of a folder, as one text."""
    found: list[str] = []
    for name in TEMPLATES:
        file = folder / name
        if file.is_dir():
            found += [each.read_text(encoding="utf-8", errors="replace") for each in sorted(file.glob("*.jinja"))]
        elif file.suffix == ".jinja" and file.is_file():
            found.append(file.read_text(encoding="utf-8", errors="replace"))
        elif template := read_json(file).get("chat_template"):
            found.append(json.dumps(template))
    return "\n".join(found)


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from ``file``; empty when there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
