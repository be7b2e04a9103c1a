"""Train a small GPT-2 on a few pages of Python's own manual, and read in Runhaven what it has learnt.

Losses, the learning rate, continuations of two prompts after each evaluation, and the best checkpoint are kept. The pages are few: the model soon learns them by heart, and the
evaluation turns while the loss of the training still falls. Nothing is downloaded: the text comes with Python. Takes well under a minute on two processor cores.
"""

from __future__ import annotations

import argparse
from pydoc_data.topics import topics
from typing import Any

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, Trainer, TrainingArguments, set_seed

import runhaven
from runhaven_integrations.transformers import RunhavenCallback

END = "<|end|>"
LENGTH = 64
PAGES = [
    "assert",
    "break",
    "continue",
    "del",
    "else",
    "global",
    "if",
    "nonlocal",
    "pass",
    "raise",
    "return",
    "while",
    "yield",
    "exceptions",
    "lambda",
    "booleans",
]


def make_tokenizer(texts: list[str], size: int = 512) -> Any:
    """Learn pairs of bytes from the text."""
    learnt = ByteLevelBPETokenizer()
    learnt.train_from_iterator(texts, size, special_tokens=[END], show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=learnt._tokenizer, eos_token=END, pad_token=END)  # noqa: SLF001 - the wrapped one


def load(tokenizer: Any, texts: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return pieces of 64 tokens to train on, and a tenth of them to evaluate with."""
    tokens: list[int] = tokenizer(END.join(texts))["input_ids"]
    pieces: list[torch.Tensor] = list(torch.tensor(tokens[: len(tokens) // LENGTH * LENGTH]).reshape(-1, LENGTH))
    data: list[dict[str, Any]] = [{"input_ids": piece, "labels": piece} for piece in pieces]
    return [row for at, row in enumerate(data) if at % 10], data[::10]


def main() -> None:
    """Train once, with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--width", type=int, default=64)
    options = parser.parse_args()

    set_seed(0)
    texts = [" ".join(topics[page].split()) for page in PAGES]
    tokenizer = make_tokenizer(texts)
    end = tokenizer.convert_tokens_to_ids(END)
    training, evaluation = load(tokenizer, texts)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer), n_positions=2 * LENGTH, n_layer=options.layers, n_head=4, n_embd=options.width,
            bos_token_id=end, eos_token_id=end, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )
    )  # fmt: skip
    arguments = TrainingArguments(
        "checkpoints",
        max_steps=options.steps,
        learning_rate=options.lr,
        per_device_train_batch_size=16,
        logging_steps=5,
        eval_strategy="steps",
        eval_steps=20,
        save_steps=20,
        save_total_limit=2,
        load_best_model_at_end=True,
        warmup_steps=20,
        dataloader_pin_memory=False,
        report_to="none",
    )
    callback = RunhavenCallback(project="manual", log_model=True, prompts=["The statement", "If an exception"])
    trainer = Trainer(
        model,
        arguments,
        train_dataset=training,
        eval_dataset=evaluation,
        processing_class=tokenizer,
        callbacks=[callback],
    )
    trainer.train()
    runhaven.finish()


if __name__ == "__main__":
    main()
