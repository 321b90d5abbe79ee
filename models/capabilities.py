"""What a model does not declare is refused before a call, in one line; every backend asks here first."""

from __future__ import annotations

from ..core.errors import CapabilityError
from ..core.messages import Capabilities, Request


def refuse(model_name: str, capabilities: Capabilities, request: Request) -> None:
    """Raise ``CapabilityError`` if ``request`` needs something that ``capabilities`` does not declare."""
    wants = {
        "images": any(message.images for message in request.messages),
        "n": request.n > 1,
        "stop": bool(request.stop),
        "tools": bool(request.tools),
        "schema": request.schema is not None,
        "logprobs": request.logprobs,
        "prefix": bool(request.prefix),
    }
    missing = [name for name, wanted in wants.items() if wanted and not getattr(capabilities, name)]
    if missing:
        raise CapabilityError(f"{model_name} does not offer {', '.join(missing)}; choose a model that does")
