"""What a question of the game of 24 asks: its four numbers, and that they are to make 24."""

from __future__ import annotations

import re

TARGET = 24

_NUMBERS = re.compile(r"(?<![\w.])\d{1,4}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s+)\d{1,4}){3}(?![\w.]*\d)")
_ASKED = re.compile(  # '#' stands for four numbers in a row
    r"""(?:\b(?:mak(?:es?|ing)|get(?:s|ting)?|reach(?:es|ing)?|obtain(?:s|ing)?|equals?|yields?|gives|(?:to|must)\s+give
        |target|total|result\s+(?:is|must|should))\b|\#\s*=)
    (?:[\s:="'`*]{1,4}|\b(?:the|an?|exactly|to|is|of|be|number|value|target|total|result)\b){0,6}
    (-?\d{1,9})(?!\w|\.\d)
    (?=\s*(?:$|[#.,;:!?()"'`*]|(?:with|using|from|of|out|by|as|on|in|and|or|instead)\b)|[ ]*\n)""",
    re.I | re.X,
)


class NoPuzzle(ValueError):
    """Why a question is no puzzle of the game of 24."""


def puzzle(question: str) -> tuple[int, int, int, int]:
    """The last four numbers in a row that a question names. Raises ``NoPuzzle`` where there are none, and where it
    plainly asks for another number than 24."""
    found = _NUMBERS.findall(question)
    if not found:
        raise NoPuzzle("the question names no four numbers in a row, as in 'Input: 1 8 11 13'")
    asked = list(map(int, _ASKED.findall(_NUMBERS.sub("#", question))))
    if asked and TARGET not in asked:
        raise NoPuzzle(f"the question asks for {asked[-1]}, and this is the game of {TARGET}")
    a, b, c, d = map(int, re.findall(r"\d+", found[-1]))
    return a, b, c, d
