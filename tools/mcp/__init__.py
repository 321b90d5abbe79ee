"""Tools of MCP servers, by the official SDK (extra ``mcp``)."""

from .server import McpTools as McpTools
