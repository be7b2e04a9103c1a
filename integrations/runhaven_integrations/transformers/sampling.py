"""Has a language model go on with prompts, so that one can read what it has learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import runhaven

if TYPE_CHECKING:
    from collections.abc import Sequence


def continuations(model: Any, processing_class: Any, prompts: Sequence[str], *, max_new_tokens: int) -> runhaven.Table:
    """Return a table of prompts and the likeliest continuations.

    Nothing is drawn at random, so that the training's own random numbers stay as they are.

    Args:
        model: A model with `generate`.
        processing_class: Its tokenizer, or a processor that has one.
        prompts: The texts to go on with.
        max_new_tokens: How long a continuation may become.

    Raises:
        TypeError: If the model or the tokenizer cannot do it.
    """
    tokenizer = getattr(processing_class, "tokenizer", processing_class)
    if not callable(tokenizer) or not hasattr(model, "generate"):
        message = "samples need a model that generates and, as the trainer's processing_class, its tokenizer"
        raise TypeError(message)
    was_training = model.training
    model.eval()
    try:
        rows = [[prompt, _continuation(model, tokenizer, prompt, max_new_tokens)] for prompt in prompts]
    finally:
        model.train(was_training)
    return runhaven.Table(columns=["prompt", "completion"], data=rows)


def _continuation(model: Any, tokenizer: Any, prompt: str, max_new_tokens: int) -> str:
    inputs = tokenizer(prompt, return_tensors="pt").to(model.device)
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    tokens = model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=padding)[0]
    is_whole = getattr(model.config, "is_encoder_decoder", False)
    return tokenizer.decode(tokens if is_whole else tokens[inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def is_sharded(args: Any) -> bool:
    """Tell whether no process holds the whole model, so that one alone cannot have it generate."""
    return bool(getattr(args, "fsdp", None)) or bool(getattr(args, "deepspeed", None))
