"""Tiny models made on the spot, offline: a chat model that has learned a few replies, and one that takes pictures."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from veriloop.models.conformance import WEATHER

TEMPLATE = """\
{%- if tools %}<|im_start|>system
Tools:{% for tool in tools %} {{ tool.function.name }}{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}
{%- else %}{% for part in message.content %}
{%- if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}
{%- for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""ChatML, short: only the names of the tools."""
MARKS = ["<|end|>", "<|im_start|>", "<|im_end|>", "<image>"]
CALL = '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>'
RESPONSES = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "tool_calls": {
            "open": "<tool_call>",
            "close": "</tool_call>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close": "<|im_end|>", "content": "text"},
    },
}
"""How a reply is read (``response_template``), for ``transformers serve``."""
FRENCH = ("Say hello in French.", "Bonjour, chère amie ! Ça va ? 👋")
TALE = ("Tell a long story.", "Once upon a time a fox met an owl, and the owl said: wait. " * 2)
LESSONS = [
    ("Say hello.", "Hello, my dear friend! How are you today?"),
    FRENCH,
    ("Count: 1, 2, 3, 4, 5, 6, 7, 8, 9.", "1, 2, 3, 4, 5, 6, 7, 8, 9."),
    ("Name a colour and an animal.", "A blue fox."),
    ("Name a colour and an animal.", "A green owl."),
    ("Name a colour and an animal.", "A red cat, or a blue owl."),
    ("How many legs has a spider?", '{"answer": 8}'),
    ("What colour is this?", "It is red."),
    TALE,
]


@cache
def shared(kind: str) -> Path:
    """The folder of a model that all tests of a session share: ``text`` or ``picture``."""
    folder = Path(tempfile.mkdtemp(prefix="veriloop-tiny-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {"text": text_model, "picture": picture_model}[kind](folder)


def text_model(folder: Path, steps: int = 120) -> Path:
    """A Llama of about 100,000 parameters in ``folder`` that has learned ``LESSONS`` and one tool call (seconds)."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(**sizes(tokenizer), max_position_embeddings=512, tie_word_embeddings=True)
    model = LlamaForCausalLM(config)
    learn(model, tokenizer, lessons(tokenizer), steps)
    return save(folder, model, tokenizer)


def picture_model(folder: Path) -> Path:
    """A Llava with random weights in ``folder``: what it says is gibberish, and depends on the picture."""
    import torch
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = make_tokenizer()
    torch.manual_seed(1)
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=16
    )
    text = LlamaConfig(**sizes(tokenizer), max_position_embeddings=512, initializer_range=0.5)
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        **marks(tokenizer),
    )
    square = {"height": 32, "width": 32}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=square, crop_size=square),
        tokenizer=tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        image_token="<image>",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    return save(folder, LlavaForConditionalGeneration(config), processor)


def save(folder: Path, *parts: Any) -> Path:
    """``folder`` with what the parts save of themselves."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    for part in parts:
        part.save_pretrained(folder)
    logging.enable_progress_bar()
    return folder


def make_tokenizer() -> Any:
    """A byte-level tokenizer of about 500 tokens with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=MARKS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    # What is not read here is spelled in bytes: a character of the French reply takes several tokens.
    read = [part for lesson in LESSONS if lesson not in (FRENCH, TALE) for part in lesson]
    raw.train_from_iterator([*read, CALL, WEATHER.name], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|end|>", extra_special_tokens=["<|im_start|>"]
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.response_template = RESPONSES
    return tokenizer


def marks(tokenizer: Any) -> dict[str, Any]:
    """The ids of the special tokens as a config wants them."""
    return {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}


def sizes(tokenizer: Any) -> dict[str, Any]:
    """The sizes of a tiny Llama for ``tokenizer``."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        **marks(tokenizer),
    }


def lessons(tokenizer: Any) -> list[tuple[list[int], list[int]]]:
    """Prompts and replies as tokens: the ``LESSONS``, a tool call, and what is said when its result is there."""
    spec = {"name": WEATHER.name, "description": WEATHER.description, "parameters": dict(WEATHER.parameters)}
    tools = [{"type": "function", "function": spec}]
    asked = [{"role": "user", "content": "What is the weather in Paris? Use the tool."}]
    call = json.loads(CALL.removeprefix("<tool_call>").removesuffix("</tool_call>"))
    made = [{"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": call}]}]
    answered = [{"role": "tool", "name": WEATHER.name, "content": "Sunny."}]
    chats = [([{"role": "user", "content": question}], None, reply) for question, reply in LESSONS]
    chats += [(asked, tools, CALL), (asked + made + answered, tools, "It is sunny in Paris.")]
    found: list[tuple[list[int], list[int]]] = []
    for chat, offered, reply in chats:
        prompt = tokenizer.apply_chat_template(chat, tools=offered, add_generation_prompt=True)["input_ids"]
        found.append((prompt, [*tokenizer.encode(reply, add_special_tokens=False), tokenizer.eos_token_id]))
    return found


def learn(model: Any, tokenizer: Any, pairs: list[tuple[list[int], list[int]]], steps: int) -> None:
    """Train ``model`` to give the replies."""
    import torch

    longest = max(len(prompt) + len(reply) for prompt, reply in pairs)
    ids = torch.full((len(pairs), longest), tokenizer.pad_token_id)
    labels = torch.full((len(pairs), longest), -100)
    for row, (prompt, reply) in enumerate(pairs):
        ids[row, : len(prompt) + len(reply)] = torch.tensor(prompt + reply)
        labels[row, len(prompt) : len(prompt) + len(reply)] = torch.tensor(reply)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps, pct_start=0.1)
    model.train()
    for _ in range(steps):
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()
