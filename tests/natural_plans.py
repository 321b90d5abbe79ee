"""Small tasks of NATURAL PLAN made on the spot, in the words and with the fields of the benchmark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

CALENDAR = """You are an expert at scheduling meetings. Note there exists a solution that works with existing schedule \
of every participant. Here are a few example tasks and solutions:

TASK: You need to schedule a meeting for Ann, Anna and Bo for half an hour between the work hours of 9:00 to 17:00 on \
either Monday or Tuesday. \n
Here are the existing schedules for everyone during the days: \n\
Ann has blocked their calendar on Monday during 9:00 to 12:00, 13:00 to 16:30, Tuesday during 9:00 to 17:00; \n\
Annahas no meetings the whole week.\n\
Bo is busy on Monday during 12:30 to 13:00; \n
Bo would rather not meet on Monday after 16:30. Tuesday before 10:00. Find a time that works for everyone's schedule \
and constraints. \nSOLUTION: """

MEETING = """You are visiting San Francisco for the day and want to meet as many friends as possible. Solve the \
problem by considering various different schedules and picking the best one to optimize your goals.

Travel distances (in minutes):
The Castro to Presidio: 20.
The Castro to Nob Hill: 16.
Presidio to The Castro: 21.
Presidio to Nob Hill: 18.
Nob Hill to The Castro: 17.
Nob Hill to Presidio: 17.

CONSTRAINTS: You arrive at The Castro at 9:00AM. Mark will be at Presidio from 9:30AM to 11:00AM. You'd like to meet \
Mark for a minimum of 60 minutes. Mary will be at Nob Hill from 9:00AM to 11:30AM. You'd like to meet Mary for a \
minimum of 30 minutes. Jo will be at The Castro from 9:00AM to 9:45AM. You'd like to meet Jo for a minimum of 45 \
minutes.

Your response should start with 'SOLUTION:'."""

TRIP = """You plan to visit 4 European cities for 11 days in total. You only take direct flights to commute between \
cities. You would like to visit Rome for 3 days. You plan to stay in Riga for 4 days. You are going to attend a \
wedding in Riga between day 1 and day 6. You want to spend 3 days in Oslo. You plan to stay in Split for 4 days. \
During day 8 and day 11, you have to attend a conference in Split.

Here are the cities that have direct flights:
Rome and Riga, Riga and Oslo, from Oslo to Split, Rome and Oslo.

Find a trip plan of visiting the cities for 11 days by taking direct flights to commute between them."""

SLOT = "Here is the proposed time: Monday, 12:00 - 12:30 "
MET = (
    "You start at The Castro at 9:00AM.",
    "You travel to Presidio in 20 minutes and arrive at 9:20AM.",
    "You wait until 9:30AM.",
    "You meet Mark for 60 minutes from 9:30AM to 10:30AM.",
    "You travel to Nob Hill in 18 minutes and arrive at 10:48AM.",
    "You meet Mary for 30 minutes from 10:48AM to 11:18AM.",
)
ORDER = "Here is the trip plan for visiting the 4 European cities for 11 days:\n\n"


def trip(*stays: str) -> str:
    """A plan in the form of the benchmark, of stays as ``Rome 1-3``."""
    legs = [(city, *map(int, days.split("-"))) for city, days in (stay.split() for stay in stays)]
    lines = [f"**Day {a}-{b}:** Visit {city} for {b - a + 1} days." for city, a, b in legs]
    flights = [f"**Day {b}:** Fly from {one} to {other}." for (one, _, b), (other, _, _) in pairwise(legs)]
    return ORDER + "\n".join(line for pair in zip(lines, [*flights, ""], strict=True) for line in pair if line)


TRAVELLED = trip("Rome 1-3", "Riga 3-6", "Oslo 6-8", "Split 8-11")
GOLDS = {"calendar_scheduling": SLOT, "meeting_planning": " ".join(MET), "trip_planning": TRAVELLED}
BAD = {
    "calendar_scheduling": "Monday, 9:00 - 9:30",
    "meeting_planning": MET[0],
    "trip_planning": trip("Rome 1-3", "Split 3-11"),
}
"""Answers that break something."""
PATHS = {
    "The Castro": {"Presidio": 20, "Nob Hill": 16},
    "Presidio": {"The Castro": 21, "Nob Hill": 18},
    "Nob Hill": {"The Castro": 17, "Presidio": 17},
}
TAKEN = [
    ("Monday", 9, 12),
    ("Monday", 13, 16.5),
    ("Tuesday", 9, 17),
    ("Monday", 12.5, 13),
    ("Monday", 16.5, 24),
    ("Tuesday", 0, 10),
]
ROWS: dict[str, dict[str, Any]] = {
    "calendar_scheduling": {
        "prompt_0shot": CALENDAR,
        "golden_plan": SLOT,
        "num_people": "3",
        "num_days": "2",
        "structured_constraints": {
            "meeting_duration": 0.5,
            "disallowed_ranges": [{"day": day, "start": a, "end": b} for day, a, b in TAKEN],
        },
    },
    "meeting_planning": {
        "prompt_0shot": MEETING,
        "golden_plan": list(MET),
        "constraints": [
            ["The Castro", "9:00AM"],
            ["Mark", "Presidio", "9:30AM to 11:00AM", 60],
            ["Mary", "Nob Hill", "9:00AM to 11:30AM", 30],
            ["Jo", "The Castro", "9:00AM to 9:45AM", 45],
        ],
        "dist_matrix": PATHS,
        "gold_score": 2,
    },
    "trip_planning": {
        "prompt_0shot": TRIP,
        "golden_plan": TRAVELLED,
        "cities": "Rome**Riga**Oslo**Split",
        "durations": "3**4**3**4",
    },
}


def folder(path: Path, answers: Mapping[str, str] | None = None, **changed: Mapping[str, Any]) -> Path:
    """A folder with a task of each kind, with recorded answers where there are any, and with fields changed."""
    path.mkdir(exist_ok=True)
    for kind, row in ROWS.items():
        said = {"pred_5shot_pro": answers[kind]} if answers else {}
        whole = {"id": f"{kind}_1", "task": kind, **row, **said, **changed.get(kind, {})}
        (path / f"{kind}.jsonl").write_text(json.dumps({k: v for k, v in whole.items() if v is not None}) + "\n")
    return path
