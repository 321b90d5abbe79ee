"""Wordings shared by the questions: how people ask for one thing, for several, for a number."""


# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from random import Random

GIVE = (
    "[what is|what is|what is|what's|whats|tell me|give me|show me|find|i want to know|can you tell me|could you tell me|please tell me"
    "|name|say|i need|i'd like to know|please give me|do you know|let me know|look up|get|get me|find me|could you give me|state|report|]"
)

LIST = (
    "[what are|what are|what are|name|name|list|list|give me|give me|show me|show|tell me|find|get|i want to know|can you list"
    "|could you give me|please name|please list|display|return|enumerate|i would like to see|identify|what are all|list all|name all"
    "|give me a list of|what are the names of|give me the names of|tell me the names of|list the names of|show me a list of|can you name"
    "|which are|give me every|show me every|list every|name every|find me|i need|let me see|give me all|show all|print|look up|do you know|can you tell me|could you tell me|please show me|]"
)

WHICH = "[which|what|which|what|which of the|what]"

WH = "[which|what]"

HOWMANY = "[how many|how many|how many|how many|how many|how many|tell me how many|what number of|do you know how many|can you tell me how many]"


def weighted(rng: Random, pairs: tuple) -> object:
    """One of the options by weight."""
    weights, options = zip(*pairs, strict=True)
    return rng.choices(options, weights)[0]
