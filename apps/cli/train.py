"""``veriloop train``: Hint-RFT, from a task set to a model that does by itself what hints made it do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from veriloop.apps.cli.catalogue import Json
from veriloop.apps.cli.solve import Mcp, Models, Tools, Unsafe, named_tools, unsafe

app = typer.Typer(
    no_args_is_help=True,
    help="Hint-RFT (START): collect, filter, export, sft. Each step reads what the one before left in OUT.",
)
Out = Annotated[Path, typer.Argument(help="The folder of veriloop train collect.")]


@app.command("collect")
def collect(
    data: Annotated[Path, typer.Argument(help="The problems: a folder as the benchmark reads it.")],
    out: Annotated[Path, typer.Option(help="Where trajectories go; what is there already is gone on with.")],
    model: Models = [],  # noqa: B006 (typer reads the default, nobody changes it)
    benchmark: Annotated[str, typer.Option(help="Who reads and scores them: gsm8k, math, humaneval, …")] = "gsm8k",
    tools: Tools = ["python"],  # noqa: B006
    mcp: Mcp = [],  # noqa: B006
    unsafe_local: Unsafe = False,
    rounds: Annotated[int, typer.Option(min=0, help="Hints, one after the other; 0: plain texts only.")] = 1,
    hint: Annotated[str, typer.Option(help="match, a function by name, or wait (see: docs/start.md).")] = "match",
    position: Annotated[
        str, typer.Option(help="before_stop, after:Wait, after:Alternatively or random.")
    ] = "before_stop",
    temperature: Annotated[float, typer.Option(min=0)] = 0.6,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of what is written for a round.")] = 2048,
    seeds: Annotated[int, typer.Option(min=1, help="How often each problem is tried, with seeds 0, 1, …")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="So many problems, drawn always the same.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Problems at once.")] = 16,
    max_money: Annotated[
        float | None, typer.Option(min=0, help="Begin no problem once so many US dollars are spent.")
    ] = None,
    json_: Json = False,
) -> None:
    """Solve each problem plainly and with hints, and keep every text with its score in OUT.

    OUT is also a benchmark run (veriloop bench report OUT). The same command goes on where it was cut off.
    """
    from veriloop.apps.cli.bench import go_on, models_of, settle
    from veriloop.apps.cli.bench_board import Board
    from veriloop.apps.cli.show import console
    from veriloop.apps.cli.work import at_work, cut_off
    from veriloop.apps.train.collect import Collection, Wanted

    unsafe(unsafe_local)
    given = {"rounds": rounds, "hint": hint, "position": position, "temperature": temperature, "max_tokens": max_tokens}
    wanted = Wanted(
        benchmark=benchmark,
        data=data,
        out=out,
        models=models_of(model),
        tools=named_tools(tools, mcp),
        parameters=given,
        seeds=seeds,
        limit=limit,
        concurrency=concurrency,
        max_money=max_money,
    )
    with cut_off(go_on):
        collection = Collection(wanted)
        with Board(console(quiet=json_), collection.course.metric) as board:
            found = at_work(collection.run(board), go_on)
    if json_:
        typer.echo(json.dumps({"out": str(out), **found}))
    else:
        _show_collected(out, found)
    settle(board)


def _show_collected(out: Path, found: dict[str, Any]) -> None:
    from veriloop.apps.cli.show import console, table
    from veriloop.apps.train.records import COLLECTED

    shown = table("round", "texts", "right", "turned right", "turned wrong")
    for each in found["rounds"]:
        turned = [str(each[name]) if each["round"] else "–" for name in ("turned_right", "turned_wrong")]
        shown.add_row(str(each["round"] or "plain"), str(each["texts"]), str(each["right"]), *turned)
    console().print(shown)
    console().print(f"\n{found['texts']} texts on {found['problems']} problems in {out / COLLECTED}", style="dim")


@app.command("filter")
def filter_(
    out: Out,
    sampled: Annotated[
        bool, typer.Option("--sampled", help="Right plain texts that called a tool stay, too (START's second round).")
    ] = False,
    no_code: Annotated[bool, typer.Option("--no-code", help="Hinted texts that called no tool stay, too.")] = False,
    json_: Json = False,
) -> None:
    """Keep what was wrong before the hint and is right after it; say what each rule dropped."""
    from veriloop.apps.cli.show import console, table
    from veriloop.apps.train.filter import RULES, reached
    from veriloop.apps.train.filter import filter_ as filtered

    done, whole = reached(out)
    if done < whole:
        after = "the same veriloop train collect goes on, and filter is then run again"
        typer.echo(f"veriloop: {done} of {whole} problems are collected, each seed counted: {after}", err=True)
    found = filtered(out, sampled, no_code)
    if json_:
        typer.echo(json.dumps({"out": str(out), **found}))
        return
    shown = table("dropped", "texts", "")
    for rule, about in RULES.items():
        shown.add_row(rule, str(found["dropped"][rule]), about)
    console().print(shown)
    by_hint = ", ".join(f"{name} {count}" for name, count in found["by_hint"].items())
    kept = f"kept {found['kept']} of {found['texts']} texts, on {found['problems']} problems ({by_hint})"
    console().print(f"\n{kept}", style="bold")


@app.command("export")
def export(
    out: Out,
    begin: Annotated[
        str,
        typer.Option(
            help="What is left of the hint: act (nothing: the text begins with what followed it), words (the text "
            "begins with its sentence), doubt (the wrong text is read, and the hint is learned as an own doubt), given "
            "(both are read, and only what follows is learned)."
        ),
    ] = "act",
    paraphrases: Annotated[int, typer.Option(min=1, help="Each text so often, with other wordings of its hint.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the wordings' order.")] = 0,
    json_: Json = False,
) -> None:
    """Write what was kept as chats (OUT/sft.jsonl), each text in segments that say what is learned."""
    from veriloop.apps.cli.show import console
    from veriloop.apps.train.export import export as exported
    from veriloop.apps.train.records import EXPORTED

    found = exported(out, begin, paraphrases, seed)
    if json_:
        typer.echo(json.dumps({"file": str(out / EXPORTED), **found}))
        return
    learned, read = (found["characters"].get(name, 0) for name in ("learned", "read"))
    shares = f"{learned:,} characters to learn, {read:,} only to read"
    console().print(f"{found['texts']} texts on {found['problems']} problems: {shares}")
    console().print(f"\n{out / EXPORTED}", style="dim")


@app.command("sft")
def sft(
    out: Out,
    to: Annotated[Path, typer.Option("--out", help="The new model's folder; a training that was cut off goes on.")],
    model: Annotated[str, typer.Option("--model", "-m", help="transformers:FOLDER, or embedded:NAME or FOLDER.")],
    epochs: Annotated[float, typer.Option(min=0.1, help="How often each text is seen.")] = 3.0,
    rate: Annotated[
        float | None, typer.Option(min=0, help="The highest learning rate. Default: 1e-5, embedded models 5e-4.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Texts of a step.")] = 16,
    at_once: Annotated[int, typer.Option(min=1, help="Of these at most so many at once: memory.")] = 8,
    max_length: Annotated[int, typer.Option(min=1, help="Tokens; longer texts are left out, and counted.")] = 2048,
    held_out: Annotated[
        float, typer.Option(min=0, max=0.9, help="The share of problems that only measure the loss.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Of the order of texts.")] = 0,
    json_: Json = False,
) -> None:
    """Fine-tune all weights of a model on OUT/sft.jsonl by TRL, on what is learned alone; nothing goes to a network."""
    from veriloop.apps.cli.train_board import followed
    from veriloop.apps.train.sft import Order

    order = Order(
        out=out,
        to=to,
        model=model,
        epochs=epochs,
        rate=rate,
        batch=batch,
        at_once=at_once,
        max_length=max_length,
        held_out=held_out,
        seed=seed,
    )
    found = followed(order, json_)
    if json_:
        typer.echo(json.dumps(found))
