"""An embedded model that writes plain text: it continues exactly what is there, and says which stop text ended it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from tiny_embedded import READ, made

from veriloop.core.errors import CapabilityError, UsageError
from veriloop.core.messages import Message, Reply, Request
from veriloop.models.embedded import Embedded
from veriloop.models.embedded.engine import Engine
from veriloop.models.embedded.jobs import Job, Text
from veriloop.models.embedded.plain import Plain, asked


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of single bytes: every text that it writes has one tokenisation only."""
    return made(tmp_path_factory.mktemp("letters"), 259)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("words"), 400)


def run(engine: Engine, *jobs: Job) -> list[Text]:
    return asyncio.run(engine.generate(jobs))


def request(**options: object) -> Request:
    given = {"temperature": 1.0, "max_tokens": 40, "messages": (Message("user", READ[0]),), **options}
    return Request(**given)  # type: ignore[arg-type]


def ask(folder: Path, **options: object) -> Reply:
    return asyncio.run(Embedded("tiny", folder).generate(request(**options)))


def test_text_comes_back_as_it_was_and_each_digit_is_a_token(words: Path):
    plain = Plain.load(words)
    for text in (*READ, "x = 10 ** 3  # café\n\tΩ 🎈", "</s> is no end, <q> no question", ""):
        ids = plain.write(text)
        assert plain.written(ids) == text
        assert plain.end not in ids
        assert sum(plain.written([each]).isdecimal() for each in ids) == sum(map(str.isdecimal, text))
    assert not [each for each in plain.bytes if len(each) > 1 and any(48 <= byte < 58 for byte in each)]


def test_a_prefix_is_read_as_a_whole_with_the_problem_and_goes_on_within_its_last_word(words: Path):
    plain = Plain.load(words)
    for prefix in (READ[1], READ[1] + READ[2], READ[1] + "\n\nWait,", "".join(READ[1:])):
        opening = plain.opening(READ[0], prefix)
        assert opening.ids == (*plain.ask(READ[0]), *opening.kept)
        assert plain.written(list(opening.kept)) + opening.pending == prefix
        whole = plain.write(prefix)
        assert list(opening.kept) == whole[: len(opening.kept)]
    opening = plain.opening(READ[0], "So there are 1692 pen")
    assert opening.pending.endswith("pen")
    (fits,) = np.nonzero(plain.allowed(opening.pending))
    assert plain.write(" pencils")[0] in fits
    assert all(plain.written([each]).startswith(opening.pending) for each in fits)
    assert plain.opening(READ[0], "It is 16").pending == ""  # no token has more than one digit


def test_what_is_cut_anywhere_goes_on_as_it_was(letters: Path):
    engine = Engine.load(letters)
    whole = run(engine, Job(READ[0], max_tokens=60))[0].text
    assert len(whole) > 20
    cuts = range(0, len(whole), 3)
    rest = run(engine, *(Job(READ[0], prefix=whole[:cut], max_tokens=60 - cut) for cut in cuts))
    assert [whole[:cut] + text.text for cut, text in zip(cuts, rest, strict=True)] == [whole] * len(cuts)


def test_no_half_character_is_written_and_pieces_join(letters: Path, words: Path):
    for folder in (letters, words):
        for text in run(Engine.load(folder), *(Job("é?", temperature=2.0, seed=at, prefix="É") for at in range(8))):
            assert "\ufffd" not in text.text
            assert "".join(text.tokens) == text.text
            assert text.logprob == pytest.approx(sum(text.token_logprobs))


def test_the_stop_text_that_ended_a_reply_is_named(letters: Path):
    whole = ask(letters).samples[0]
    assert (whole.stopped, whole.finish) == ("", "length")
    stop, later = whole.text[10:12], whole.text[20:23]
    stopped = ask(letters, stop=(later, stop, "never there")).samples[0]
    assert (stopped.text, stopped.stopped) == (whole.text[: whole.text.index(stop)], stop)
    assert stopped.finish == "stop"


def test_samples_seeds_and_probabilities(words: Path):
    reply = ask(words, seeds=(1, 2, 3, 1), logprobs=True, prefix="There are")
    assert len({sample.text for sample in reply.samples}) == 3
    assert reply.samples[0] == reply.samples[3]
    assert all(sample.logprob is not None and sample.logprob < 0 for sample in reply.samples)
    assert reply.usage.tokens_out <= 160
    assert ask(words, seeds=(1, 2, 3, 1), prefix="There are") == reply


def test_it_writes_text_and_judges_nothing(words: Path):
    model = Embedded("tiny", words)
    assert (model.capabilities.only, model.capabilities.roles, model.tables) == ("text", (), ())
    with pytest.raises(CapabilityError, match="schema"):
        ask(words, schema={"type": "object"})
    full = ask(words, prefix="so " * 300).samples[0]
    assert (full.text, full.finish) == ("", "length")


def test_earlier_attempts_and_what_is_said_of_the_answers_form_are_not_read(words: Path):
    told = READ[0] + "\n\nReason step by step. Put the final answer, a number alone, on a last line after ####."
    assert asked(told) == READ[0]
    assert asked("One.\n\nTwo is the final answer? No:\n\nthree  four.\n") == (
        "One. Two is the final answer? No: three four."
    )
    turns = (Message("system", "Answer."), Message("user", told), Message("user", "Your answer so far:", "instruction"))
    assert ask(words, messages=turns).samples == ask(words).samples


def test_a_model_of_no_known_kind_is_refused(tmp_path: Path, words: Path):
    (tmp_path / "config.json").write_text('{"kind": "song"}', encoding="utf-8")
    with pytest.raises(UsageError, match="'song' is none of sql, text"):
        Embedded("tiny", tmp_path)
