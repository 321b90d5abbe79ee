"""Hints in words of our own, by what they lead to. None is one of the sentences of the package's library: what the
model makes of those is measured, not learned by heart."""

from __future__ import annotations

from random import Random

WHOLE, CHECK, STEPS, OTHER, EACH = "whole", "check", "steps", "other", "each"
"""What follows a hint: code for the whole problem, such code compared with the answer, a test of each step, another
way, code that prints each step."""

BECAUSE = {
    WHOLE: (
        "these numbers are large, so", "this is hard to do in my head, so", "the arithmetic is heavy here, so",
        "I make mistakes with so many digits, so", "there are too many cases to count by hand, so",
        "counting by hand takes long and is risky, so", "I want the exact number, so", "that is a lot to calculate, so",
        "I would rather not compute it by hand, so", "a value like this is easy to get wrong, so", "",
    ),
    CHECK: (
        "is this result right?", "I am not sure of my answer.", "I do not trust this result yet.", "am I sure?",
        "before I go on,", "before I give the answer,", "to be safe,", "looking at my steps again,", "",
    ),
    STEPS: (
        "does each step hold?", "is that step true?", "I assumed a lot there.", "one of my steps may be wrong, so",
        "is my reasoning consistent?", "some condition may be violated.", "to be sure of each step,", "",
    ),
    OTHER: (
        "there is another way.", "a second way may give the same.", "I could do this in a different way.",
        "to settle it,", "instead of that,", "another method would help, so", "",
    ),
    EACH: (
        "I should think more about this.", "I should take more time here.", "there may be more to it.",
        "I want to understand each step, so", "going deeper into it,", "more carefully now:", "",
    ),
}  # fmt: skip
THEREFORE = {
    WHOLE: (
        "let me compute this with Python.", "let me calculate it in Python.", "I will let Python compute it.",
        "let me do the calculation with a few lines of Python.", "I will work out the value in Python.",
        "let me enumerate all of them in Python.", "let me use Python for this.", "Python can do that for me.",
        "a little Python will do the arithmetic.", "maybe I can use Python here.", "using Python is a good idea here.",
        "Python might help with this.", "this is a good place for Python.", "let me count them with Python.",
    ),
    CHECK: (
        "let me check the answer with Python.", "let me verify it in Python.", "I will redo it in Python and compare.",
        "let me test the result by running Python.", "let me run it again in Python to check it.",
        "a short piece of Python can verify this.", "I will check it again with Python.",
    ),
    STEPS: (
        "let me test each step in Python.", "I will see in Python whether they are true.",
        "let me check each of the steps with Python.", "let me make sure of every step with a small Python check.",
        "a Python check of the steps will tell.", "let me test in Python whether it holds on these values.",
    ),
    OTHER: (
        "let me try another approach in Python.", "let me simulate it in Python.",
        "I will write a second method in Python.",
        "let me solve it in a different way, with Python.", "let me search by brute force in Python.",
        "let me act it out in Python.",
    ),
    EACH: (
        "let me go through it step by step with Python.", "I will support every step with Python.",
        "let me explore it further in Python.", "let me think it through with Python, one step at a time.",
        "I will back up each thought with Python.",
    ),
}  # fmt: skip


def wording(follows: str, rng: Random) -> str:
    """A hint that leads to what ``follows``, as a clause that can follow "Wait,"."""
    why, what = rng.choice(BECAUSE[follows]), rng.choice(THEREFORE[follows])
    if why.endswith((".", "?")):
        what = what[0].upper() + what[1:]
    return f"{why} {what}".strip()
