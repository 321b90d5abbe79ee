"""START's hints (arXiv 2503.04625): short sentences in the model's own voice that point at Python."""

from .collection import Hint as Hint
from .collection import Position as Position
from .collection import hints as hints
