"""What eight candidates of one prompt cost with a local model, next to one: a tiny Llama made on the spot.

    python scripts/bench/local_model.py [--json] [--rounds 7] [--calls 1000] [--strict]

The model has some 8 million random weights in float32 and a vocabulary of 4,096; a prompt has about 136 tokens, a reply
48. One thread computes, unless OMP_NUM_THREADS says otherwise: a model this small gains nothing by more. Each line has
the median over interleaved rounds and the ratio to one candidate alone. Then: are samples the same alone and in
company, and what does the memory do over many calls. With --strict the exit status is 1 when a bar is missed (a busy
machine can miss one by noise). Says nothing about large models, which gain more by batches.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

WIDTH = 8
RATIO = 3.0
"""Eight candidates of one prompt may cost this many times one."""
GROWTH = 0.05
"""The memory may grow by this part of itself over the calls."""


def make(folder: Path) -> Path:
    """A Llama with random weights and a byte-level tokenizer in ``folder``."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()
    rng = random.Random(0)
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=4096, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator([words(rng, 12) for _ in range(4000)], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|end|>", pad_token="<|end|>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 8, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=len(tokenizer), eos_token_id=0, bos_token_id=None, pad_token_id=0, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def words(rng: random.Random, count: int) -> str:
    """``count`` made-up words."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(rng.choices(letters, k=rng.randint(2, 8))) for _ in range(count))


async def measure(model: Any, rounds: int) -> list[dict[str, Any]]:
    """The table of times."""
    from veriloop.core.messages import Message, Request

    prompt = words(random.Random(1), 40)
    request = Request(messages=(Message("user", prompt),), seeds=(0,), temperature=1.0, max_tokens=48)
    eight = replace(request, seeds=tuple(range(WIDTH)))

    async def apart() -> None:
        await asyncio.gather(*(model.generate(replace(request, seeds=(seed,))) for seed in eight.seeds))

    async def in_turn() -> None:
        for seed in eight.seeds:
            await model.generate(replace(request, seeds=(seed,)))

    works: dict[str, Callable[[], Awaitable[Any]]] = {
        "1 candidate": lambda: model.generate(request),
        "8 candidates in one request": lambda: model.generate(eight),
        "8 requests at once": apart,
        "8 requests one after the other": in_turn,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            started = time.perf_counter()
            await work()
            if number:
                times[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(each) for name, each in times.items()}
    base = medians["1 candidate"]
    held = {"8 candidates in one request", "8 requests at once"}
    return [
        {
            "what": name,
            "ms": round(seconds * 1e3, 1),
            "ratio": round(seconds / base, 2),
            "bar": f"<= {RATIO:g} x" if name in held else "",
            "met": name not in held or seconds <= RATIO * base,
        }
        for name, seconds in medians.items()
    ]


async def same(model: Any) -> dict[str, Any]:
    """Whether samples are the same alone, together, and among strangers."""
    from veriloop.core.messages import Message, Request

    rng = random.Random(2)
    requests = [
        Request(
            messages=(Message("user", words(rng, 3 + 5 * number)),),
            seeds=tuple(range(10 * number, 10 * number + 4)),
            temperature=(0.7, 1.0, 1.5)[number % 3],
            top_p=(1.0, 0.9)[number % 2],
            max_tokens=48,
        )
        for number in range(8)
    ]
    together = await asyncio.gather(*(model.generate(request) for request in requests))
    pairs = [
        (sample.text, (await model.generate(replace(request, seeds=(seed,)))).samples[0].text)
        for request, reply in zip(requests, together, strict=True)
        for seed, sample in zip(request.seeds, reply.samples, strict=True)
    ]
    equal = sum(first == second for first, second in pairs)
    what = f"{len(pairs)} samples, alone and in company"
    return {"what": what, "equal": equal, "bar": f"== {len(pairs)}", "met": equal == len(pairs)}


async def memory(model: Any, calls: int) -> dict[str, Any]:
    """The memory of the process before and after ``calls`` calls of different lengths."""
    from veriloop.core.messages import Message, Request

    async def some(count: int, rng: random.Random) -> None:
        for start in range(0, count, 5):
            texts = [words(rng, rng.randint(1, 40)) for _ in range(5)]
            asked = [
                Request(messages=(Message("user", text),), seeds=(start + at,), max_tokens=rng.randint(1, 24))
                for at, text in enumerate(texts)
            ]
            await asyncio.gather(*map(model.generate, asked))

    await some(200, random.Random(3))
    before = resident()
    await some(calls, random.Random(4))
    after = resident()
    return {
        "what": f"memory over {calls} calls",
        "before_mb": round(before / 2**20, 1),
        "after_mb": round(after / 2**20, 1),
        "bar": f"<= + {GROWTH:.0%}",
        "met": after <= before * (1 + GROWTH),
    }


def resident() -> int:
    """Bytes of this process in memory now (at most so far, where the system does not say)."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def everything(folder: Path, rounds: int, calls: int) -> list[dict[str, Any]]:
    """All lines."""
    from veriloop.models.local import Transformers

    model = Transformers(str(make(folder)), device="cpu")
    return [*await measure(model, rounds), await same(model), await memory(model, calls)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--strict", action="store_true")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        lines = asyncio.run(everything(Path(folder), args.rounds, args.calls))
    if args.json:
        print(json.dumps(lines, indent=1))
    else:
        for each in lines:
            figures = "  ".join(f"{key} {value}" for key, value in each.items() if key not in ("what", "bar", "met"))
            print(f"{each['what']:36} {figures:40} {each['bar']} {'met' if each['met'] else 'MISSED'}")
    sys.exit(int(args.strict and not all(each["met"] for each in lines)))


if __name__ == "__main__":
    main()
