"""Python for models: the tool ``python``, an interpreter in a sandbox for each candidate."""

from .tool import PythonTool

__all__ = ["PythonTool"]
