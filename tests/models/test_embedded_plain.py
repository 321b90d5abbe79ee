"""An embedded model that writes plain text: it continues exactly what is there, and says which stop text ended it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from veriloop.core.errors import CapabilityError, ModelError, UsageError
from veriloop.core.messages import Message, Reply, Request
from veriloop.models.embedded import Embedded
from veriloop.models.embedded.engine import Engine, Job, Text
from veriloop.models.embedded.plain import PIECES, SPECIALS, Plain, asked

READ = [
    "Mara has 47 boxes with 36 pencils each. How many pencils are there?",
    "There are 47 * 36 = 1692 pencils.\n#### 1692",
    "\n\nWait, let me compute this with Python.\n```python\npencils = 47 * 36\nprint(pencils)\n```\n",
    "```output\n1692\n```\nSo there are 1692 pencils.\n#### 1692",
]
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 16, "rms_norm_eps": 1e-5}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2, "rope_theta": 10000.0, "max_position_embeddings": 192}


def tokenizer_of(size: int) -> Tokenizer:
    """A tokenizer that has read READ; of no more than 259 tokens it knows single bytes alone."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIALS), show_progress=False, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(READ * 5, trainer)
    return tokenizer


def made(folder: Path, size: int) -> Path:
    """A model with random weights in ``folder``."""
    tokenizer = tokenizer_of(size)
    config = {"kind": "text", "vocab_size": tokenizer.get_vocab_size(), **SIZES, **HEADS}
    hidden, inner, random = SIZES["hidden_size"], SIZES["intermediate_size"], np.random.default_rng(5)
    shapes = {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (hidden, hidden)}
    shapes |= {"self_attn.v_proj": (hidden, hidden), "self_attn.o_proj": (hidden, hidden)}
    shapes |= {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    names = {"model.embed_tokens": (config["vocab_size"], hidden)}
    names |= {f"model.layers.{at}.{name}": shape for at in range(2) for name, shape in shapes.items()}
    tensors = {f"{name}.weight": random.normal(0, 0.3, shape).astype(np.float16) for name, shape in names.items()}
    norms = [f"model.layers.{at}.{name}layernorm" for at in range(2) for name in ("input_", "post_attention_")]
    tensors |= {f"{name}.weight": np.ones(hidden, dtype=np.float16) for name in (*norms, "model.norm")}
    folder.mkdir(exist_ok=True)
    save_file(tensors, str(folder / "model.safetensors"))
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


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
    with pytest.raises(ModelError, match="no room"):
        ask(words, prefix="so " * 300)


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
