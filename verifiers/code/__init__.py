"""Verifiers of programs. The programs run in a sandbox; what decides runs in another, or in the host, on plain data."""
