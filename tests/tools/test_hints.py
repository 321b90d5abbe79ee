"""The hint library is data that is checked when it is read."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest

from veriloop.core.errors import UsageError
from veriloop.tools.hints import Position, hints
from veriloop.tools.hints.collection import parse

GOOD = {"name": "n", "intent": "i", "at": ["before_stop"], "paraphrases": ["one.", "two."]}


def test_the_library_has_the_functions_of_the_paper_typed_and_paraphrased():
    assert [(hint.domain, hint.name) for hint in hints()] == [
        ("math", "complex-calculation"),
        ("math", "self-reflection"),
        ("math", "logic-check"),
        ("math", "alternative-method"),
        ("code", "debug"),
        ("any", "general"),
        ("any", "think-deeper"),
    ]
    for hint in hints():
        assert len(hint.paraphrases) >= 4
        assert hint.intent
        assert set(hint.at) <= set(get_args(Position))
        assert bool(hint.template) == (hint.domain == "code")
    every = [words for hint in hints() for words in hint.paraphrases]
    assert len(set(every)) == len(every)
    assert all(re.match(r"[a-z]|I\b", words) and words[-1] in ".?" for words in every), "they follow 'Wait,'"


@pytest.mark.parametrize("place", get_args(Position)[:-1])
def test_there_is_a_hint_for_each_place_in_each_domain(place: str):
    assert {hint.domain for hint in hints() if place in hint.at} == {"math", "code", "any"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "name is '': it must be a text"),
        ({"intent": 3}, "intent is 3: it must be a text"),
        ({"at": ["middle"]}, "n fits 'middle'; places are before_stop, after:Wait, after:Alternatively, random"),
        ({"at": []}, "n fits 'nowhere'"),
        ({"paraphrases": ["one.", "one."]}, "n needs two paraphrases or more, all different"),
        ({"paraphrases": ["one."]}, "n needs two paraphrases or more"),
        ({"paraphrases": ["one.", "a\nb"]}, "a paraphrase that is no plain line of text: 'a\\nb'"),
        ({"paraphrases": ["one.", 2]}, "no plain line of text: 2"),
        ({"extra": 1}, "a function has 'extra'; it may have "),
        ({"template": ""}, "template is ''"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(change: dict[str, Any], said: str):
    with pytest.raises(UsageError, match=f"the hints in my.json are not usable: .*{re.escape(said)}"):
        parse(json.dumps({"domain": "math", "functions": [{**GOOD, **change}]}), "my.json")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"domain": "art", "functions": []}', '{"domain": "math", "functions": [{}]}']
)
def test_what_is_no_library_is_refused(text: str):
    with pytest.raises(UsageError, match=r"the hints in my\.json are not usable"):
        parse(text, "my.json")
