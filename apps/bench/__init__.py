"""Benchmarks: arms compared over tasks with known answers, resumable, with a report of one file."""
