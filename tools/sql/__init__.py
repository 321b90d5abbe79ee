"""Read-only SQLite for hostile SQL: a runner in killable processes, the tool ``sql``, schemas, result comparison."""

from .runner import SqlResult, SqlRunner
from .tool import SqlTool

__all__ = ["SqlResult", "SqlRunner", "SqlTool"]
