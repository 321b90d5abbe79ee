"""Nothing excluded is written, and all else keeps its share: checked against all texts of a small random language."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from veriloop.models import embedded
from veriloop.models.embedded.decoder import Floats
from veriloop.models.embedded.engine import Engine
from veriloop.models.embedded.exclusion import FLOORS, Excluded, above, probabilities
from veriloop.models.embedded.jobs import Job

END, WORDS, LONGEST = 0, 4, 3
FREE = np.zeros(WORDS, dtype=np.bool_)
Text = tuple[int, ...]


def language(seed: int) -> dict[Text, Floats]:
    """Logits after every beginning; a text ends with END, at the latest after LONGEST words."""
    rng = np.random.default_rng(seed)
    beginnings = [text for size in range(LONGEST + 1) for text in itertools.product(range(1, WORDS), repeat=size)]
    table = {text: rng.normal(0, 2, WORDS).astype(np.float32) for text in beginnings}
    for text in beginnings:
        if len(text) == LONGEST:
            table[text] = np.array([0, *[-np.inf] * (WORDS - 1)], dtype=np.float32)
    return table


def texts(table: dict[Text, Floats], floor: float) -> dict[Text, float]:
    """Every text and its probability."""
    found = dict[Text, float]()
    for text in table:
        whole = (*text, END)
        steps = [above(probabilities(table[whole[:at]], FREE), floor)[token] for at, token in enumerate(whole)]
        found[whole] = float(np.prod(steps))
    return found


@given(st.integers(0, 10_000), st.integers(1, 6), st.randoms(use_true_random=False))
def test_it_is_the_distribution_given_that_the_excluded_texts_are_not_written(seed, count, random):
    table = language(seed)
    shares = texts(table, FLOORS[0])
    out = tuple(random.sample([text for text, share in shares.items() if share > 0], count))
    rows = [np.stack([table[text[:at]] for at in range(len(text))]) for text in out]
    excluded = Excluded.of(out, rows, FREE)
    rest = 1 - sum(shares[text] for text in out)
    if excluded is None or excluded.floor != FLOORS[0]:
        assert rest < 1e-2
        return
    for text, share in shares.items():
        steps = [
            excluded.leave(probabilities(table[text[:at]], FREE), text[:at])[token] for at, token in enumerate(text)
        ]
        wanted = 0.0 if text in out else share / rest
        assert abs(float(np.prod(steps)) - wanted) < 1e-6


def test_where_everything_is_excluded_nothing_is():
    table = {(): np.array([0, -np.inf, -np.inf, -np.inf], dtype=np.float32)}
    assert Excluded.of([(END,)], [np.stack([table[()]])], FREE) is None


def test_the_shipped_model_never_repeats_what_it_must_not_write():
    engine = Engine.load(Path(embedded.__file__).parent / "sql")
    question = "which state has the most rivers?"

    async def search(temperature: float) -> list[str]:
        found = list[str]()
        for at in range(12):
            job = Job(question, never=tuple(found), temperature=temperature, top_p=0.95, seed=at)
            found.append((await engine.generate([job]))[0].text)
        return found

    for temperature in (0.0, 1.0):
        found = asyncio.run(search(temperature))
        assert len(set(found)) == 12
        assert found == asyncio.run(search(temperature))


def test_what_does_not_go_on_from_a_prefix_excludes_nothing():
    engine = Engine.load(Path(embedded.__file__).parent / "sql")
    question = "how many cities are in ohio"
    job = Job(question, prefix="SELECT COUNT(", seed=3)
    (free,), (held,), (other,) = (
        asyncio.run(engine.generate([Job(question, prefix=job.prefix, never=never)]))
        for never in ((), ("SELECT 1",), ())
    )
    assert free.text == held.text == other.text
    (bound,) = asyncio.run(engine.generate([Job(question, prefix=job.prefix, never=(job.prefix + free.text,))]))
    assert bound.text != free.text
