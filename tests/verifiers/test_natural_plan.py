"""Scheduling a meeting, meeting friends, planning a trip: the constraints are in the question, and are found there."""

from __future__ import annotations

import asyncio
import json
import random
import time
from itertools import permutations
from typing import Any

import pytest
from bench_tasks import DATA, needs_data
from natural_plans import CALENDAR, GOLDS, MEETING, MET, ROWS, TRIP, trip

from veriloop import Task, Verdict
from veriloop.verifiers import make
from veriloop.verifiers.conformance import Everyone, check, reply
from veriloop.verifiers.natural_plan import calendar, compiled, meeting
from veriloop.verifiers.natural_plan import trip as trips


def verdict(question: str, text: str) -> Verdict:
    task = Task(question)
    return asyncio.run(make("natural-plan").verify(task, reply(task, text), Everyone()))


def broken(question: str, text: str) -> str:
    found = verdict(question, text)
    assert found.outcome == "failed"
    assert found.score is not None
    assert found.score < 1
    return "\n".join(f.message for f in found.findings if f.message.startswith("Broken: "))


@pytest.mark.parametrize("kind", GOLDS)
def test_a_plan_that_keeps_everything_passes_and_each_constraint_is_told(kind: str) -> None:
    found = verdict(ROWS[kind]["prompt_0shot"], GOLDS[kind])
    assert (found.outcome, found.score) == ("passed", 1.0)
    assert len(found.findings) >= 5
    assert not any(f.message.startswith("Broken") for f in found.findings)


def test_a_calendar_is_read_from_its_text() -> None:
    read = calendar.compiled(CALENDAR)
    assert read is not None
    assert (read.people, read.days, read.minutes) == (("Ann", "Anna", "Bo"), ("Monday", "Tuesday"), 30)
    assert (read.opens, read.closes, read.earliest, read.unread) == (540, 1020, False, ())
    assert [(name, len(spans)) for name, spans in read.busy] == [("Ann", 3), ("Anna", 0), ("Bo", 1)]
    assert [wish.span for wish in read.wishes] == [("Monday", 990, 1440), ("Tuesday", 0, 600)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Monday, 12:30 - 13:00", "Broken: Bo is busy on Monday from 12:30 to 13:00."),
        ("Monday, 11:45 - 12:15", "Broken: Ann is busy on Monday from 9:00 to 12:00."),
        ("Monday, 16:30 - 17:00", "Broken: Bo would rather not meet on Monday after 16:30;"),
        ("Monday, 12:00 - 13:00", "Broken: The meeting takes 30 minutes; this takes 60."),
        ("Monday, 17:00 - 17:30", "Broken: The meeting is between 9:00 to 17:00; this is 17:00 to 17:30."),
        ("Sunday, 12:00 - 12:30", "Broken: The meeting is on Monday or Tuesday; this is on Sunday."),
        ("It cannot be done.", "Broken: There is no time in the answer"),
        ("Monday, 99:99 - 12:30", "Broken: There is no time in the answer"),
    ],
)
def test_what_a_time_breaks_is_said(text: str, said: str) -> None:
    assert said in broken(CALENDAR, text)


@pytest.mark.parametrize(
    "text", ["Monday from 12:00 to 12:30", "**Monday**, 12:00–12:30", "Monday 12:00 PM - 12:30 PM"]
)
def test_a_time_may_be_written_otherwise(text: str) -> None:
    assert verdict(CALENDAR, text).outcome == "passed"


def test_the_earliest_time_is_wanted_where_the_question_says_so() -> None:
    first = CALENDAR.replace(
        "Ann has blocked their calendar on Monday during 9:00 to 12:00", "Ann is busy on Monday during 9:00 to 11:00"
    )
    wanted = first.replace("Find a time", "The group would like to meet at their earlist availability.\nFind a time")
    assert verdict(first, "Monday, 12:00 - 12:30").outcome == "passed"
    assert "there is an earlier one" in broken(wanted, "Monday, 12:00 - 12:30")
    assert verdict(wanted, "Monday, 11:00 - 11:30").outcome == "passed"


def test_a_sentence_that_is_not_understood_lets_nothing_pass() -> None:
    for question, kind in [
        (CALENDAR.replace("Find a time", "Bo must have tea first. Find a time"), "calendar_scheduling"),
        (CALENDAR.replace("would rather not meet", "would love to meet"), "calendar_scheduling"),
        (MEETING.replace("You'd like to meet Jo", "Jo hates Mark. You'd like to meet Jo"), "meeting_planning"),
        (
            TRIP.replace("You want to spend 3 days in Oslo", "You hate Rome. You want to spend 3 days in Oslo"),
            "trip_planning",
        ),
        (TRIP.replace("in Riga between", "in Vienna between"), "trip_planning"),
    ]:
        found = verdict(question, GOLDS[kind])
        assert (found.outcome, found.score) == ("unscored", None)
        assert "Not everything could be checked" in found.text
    assert broken(CALENDAR.replace("Find a time", "Bo must have tea first. Find a time"), "Monday, 12:30 - 13:00")


def test_the_last_of_several_tasks_is_the_one_that_is_asked() -> None:
    shown = CALENDAR.replace("half an hour", "one hour") + "Here is the proposed time: Monday, 12:00 - 13:00\n\n"
    assert verdict(shown + CALENDAR[CALENDAR.index("TASK:") :], GOLDS["calendar_scheduling"]).outcome == "passed"
    assert (
        verdict(f"{TRIP.replace('Rome', 'Bern')}\n\nSOLUTION: …\n\n{TRIP}\n\nSOLUTION:", GOLDS["trip_planning"]).outcome
        == "passed"
    )
    other = MEETING.replace("Mark", "Zoe").replace("60", "90")
    assert verdict(f"{other}\n\nSOLUTION: …\n\n{MEETING}\n\nSOLUTION:", GOLDS["meeting_planning"]).outcome == "passed"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (MET[:4], "2 can be"),
        ([*MET[:2], MET[3]], "Mark is there from 9:30AM to 11:00AM, and you are there at 9:20AM"),
        (
            [*MET[:3], "You meet Mary for 30 minutes from 9:30AM to 10:00AM."],
            "Mary is at Nob Hill, and you are at Presidio",
        ),
        ([*MET, MET[5]], "Mary is met twice"),
        ([*MET, f"You meet Mary for {'very, ' * 40}very long."], "Mary is met twice"),
        ([*MET, "You wait until 10:00AM."], "You cannot wait until 10:00AM in Nob Hill: it is 11:18AM already."),
        ([*MET[:1], "You travel to Chinatown in 5 minutes."], "no known way from The Castro to Chinatown"),
        ([*MET[:1], "You meet Anthony for 5 minutes."], "Nobody of that name"),
        ([*MET[:1], "You wait until noon."], "not clear until when"),
        (["I would stay at home."], "There is no plan"),
    ],
)
def test_what_cannot_be_done_in_a_day_is_said(steps: list[str], said: str) -> None:
    assert said in broken(MEETING, " ".join(steps))


def test_wrong_times_in_a_plan_are_told_and_the_steps_decide() -> None:
    text = " ".join(MET).replace("9:20AM", "9:10AM").replace("10:48AM to 11:18AM", "10:40AM to 11:10AM")
    found = verdict(MEETING, text)
    assert found.outcome == "passed"
    assert "Note: From The Castro to Presidio it takes 20 minutes: you arrive at 9:20AM." in found.text
    assert "Note: You can meet Mary from 10:48AM to 11:18AM" in found.text


def test_a_plan_may_be_written_line_by_line_and_the_first_of_two_counts() -> None:
    text = "SOLUTION:\n" + "\n".join(f"{n}. **{step.replace('AM', ' AM')}**" for n, step in enumerate(MET, 1))
    assert verdict(MEETING, f"{text}\n\nOr else:\n{MET[0]} You travel to Chinatown.").outcome == "passed"


def friends(rng: random.Random, count: int) -> meeting.Meetings:
    places = [f"P{n}" for n in range(count + 1)]
    paths = {(a, b): rng.randint(5, 40) for a in places for b in places if a != b}
    known: dict[str, meeting.Friend] = {}
    for n in range(count):
        opens = rng.randint(540, 800)
        known[f"F{n}"] = meeting.Friend(rng.choice(places), opens, opens + rng.randint(30, 200), rng.randint(15, 90))
    return meeting.Meetings("P0", 540, known, paths)


def by_hand(asked: meeting.Meetings) -> int:
    best = 0
    for order in permutations(asked.friends.values()):
        place, now, count = asked.place, asked.time, 0
        for friend in order:
            now = (
                max(now + (0 if place == friend.place else asked.paths[place, friend.place]), friend.opens)
                + friend.minutes
            )
            if now > friend.closes:
                break
            place, count = friend.place, count + 1
        best = max(best, count)
    return best


@pytest.mark.parametrize("seed", range(30))
def test_the_most_meetings_are_those_of_the_best_of_all_orders(seed: int) -> None:
    asked = friends(random.Random(seed), 1 + seed % 6)
    assert meeting.most(asked) == by_hand(asked)


def test_friends_too_many_to_search_leave_the_number_open() -> None:
    many = "".join(
        f" F{n} will be at Nob Hill from 9:00AM to 9:00PM. You'd like to meet F{n} for a minimum of 15 minutes."
        for n in range(12)
    )
    found = verdict(MEETING.replace("\n\nYour response", f"{many}\n\nYour response"), " ".join(MET))
    assert (found.outcome, found.score) == ("unscored", None)
    assert "how many of 15 friends can be met is not searched for" in found.text


@pytest.mark.parametrize(
    ("stays", "said"),
    [
        (
            ["Rome 1-3", "Riga 3-6", "Split 6-9", "Oslo 9-11"],
            "There is no direct flight from Riga to Split, from Split to Oslo.",
        ),
        (["Riga 1-4", "Rome 4-6", "Oslo 6-8", "Split 8-12"], "it is from day 1 to day 12"),
        (["Rome 1-3", "Riga 3-6", "Oslo 7-9", "Split 9-12"], "Riga is left on day 6 and Oslo is reached on day 7."),
        (["Oslo 1-3", "Rome 3-5", "Riga 5-8"], "The stay in Split is for 4 days; it is not visited."),
        (["Rome 1-4", "Riga 4-7", "Oslo 7-8", "Split 8-11"], "The stay in Rome is for 3 days; it is for 4."),
        (
            ["Split 1-4", "Oslo 4-6", "Riga 6-9", "Rome 9-11"],
            "attend a conference in Split; the plan is there from day 1 to day 4.",
        ),
        (["Oslo 1-3", "Rome 3-5", "Oslo 5-7"], "The stay in Oslo is for 3 days; it is visited 2 times."),
    ],
)
def test_what_a_trip_breaks_is_said(stays: list[str], said: str) -> None:
    assert said in broken(TRIP, trip(*stays))


def test_between_is_some_of_the_days_and_during_is_all_of_them() -> None:
    read = trips.compiled(TRIP)
    assert read is not None
    wedding, conference = read.events
    assert (wedding.city, wedding.whole, conference.city, conference.whole) == ("Riga", False, "Split", True)
    assert wedding.kept(6, 9)
    assert not wedding.kept(7, 10)
    assert not conference.kept(7, 10)
    assert verdict(TRIP, trip("Riga 1-4", "Rome 4-6", "Oslo 6-8", "Split 8-11")).outcome == "passed"
    assert ("Oslo", "Split") in read.flights
    assert ("Split", "Oslo") not in read.flights


def test_a_trip_may_be_told_by_its_flights_alone() -> None:
    text = "Day 3: Fly from Rome to Riga.\nDay 6: Fly from Riga to Oslo.\nDay 8: Fly from Oslo to Split."
    assert verdict(TRIP, text).outcome == "passed"
    assert "There is no plan" in broken(TRIP, "Stay at home.")


@pytest.mark.parametrize(
    "question", ["What is 2 + 2?", "Travel distances (in minutes):\nA to B: 3.", "Schedule a meeting."]
)
def test_a_question_of_another_kind_leaves_unscored(question: str) -> None:
    found = verdict(question, "Monday, 9:00 - 9:30")
    assert (found.outcome, found.score) == ("unscored", None)
    assert "no task of NATURAL PLAN" in found.text


@pytest.mark.parametrize("kind", GOLDS)
def test_it_keeps_the_promises_of_a_verifier(kind: str) -> None:
    texts = (GOLDS[kind], "Monday, 9:00 - 9:30\nYou meet Mark. Day 1-9: Visit Rome.")
    assert [
        line
        for line in asyncio.run(check(make("natural-plan"), ROWS[kind]["prompt_0shot"], texts))
        if line.outcome != "works"
    ] == []


HOSTILE = [
    "You meet " * 100_000,
    "You travel to Presidio in 1 minute. You travel to The Castro. " * 20_000,
    "Day 1-2: Rome\n" * 100_000,
    "Day " * 100_000 + "from Rome to Riga",
    "9" * 100_000 + ":00 - 9:30",
    "Monday, " * 100_000,
    "a" * 500_000,
    f"Day 1-{'9' * 5000}: Rome\nDay {'9' * 5000}: Fly from Rome to Riga",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("question", [CALENDAR, MEETING, TRIP], ids=["calendar", "meeting", "trip"])
def test_hostile_answers_take_bounded_time_and_feedback(question: str, text: str) -> None:
    started = time.perf_counter()
    found = verdict(question, text)
    assert found.outcome == "failed"
    assert len(found.text) < 20_000
    assert time.perf_counter() - started < 10


def rows(kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / "natural_plan" / f"{kind}.jsonl").read_text("utf-8").splitlines()]


@needs_data
@pytest.mark.parametrize("kind", GOLDS)
def test_every_prompt_of_the_data_is_understood_and_every_gold_plan_passes(kind: str) -> None:
    for row in rows(kind):
        read = compiled(row["prompt_0shot"])
        assert read is not None, row["id"]
        assert read.unread == (), row["id"]
        gold = row["golden_plan"] if isinstance(row["golden_plan"], str) else " ".join(row["golden_plan"])
        assert verdict(row["prompt_0shot"], gold).outcome == "passed", row["id"]
        if isinstance(read, meeting.Meetings):
            assert meeting.most(read) == row["optimum_by_exact_search"], row["id"]
