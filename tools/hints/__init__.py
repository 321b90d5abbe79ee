"""START's hints (arXiv 2503.04625): short sentences in the model's own voice that point at Python."""

from .library import Hint as Hint
from .library import Position as Position
from .library import hints as hints
