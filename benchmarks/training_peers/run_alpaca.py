"""Train as the original does, by Stanford Alpaca's recipe: random order, padded on the right to the longest of the batch.

    python run_alpaca.py SETTINGS.json

It tokenises with the model's chat template, as the others do, so that all train on the same tokens.
"""

import json
import sys
from pathlib import Path

import stopwatch
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

stopwatch.start()
settings = json.loads(Path(sys.argv[1]).read_text())
tokenizer = AutoTokenizer.from_pretrained(settings["model"])
rows = []
for line in Path(settings["chats"]).read_text().splitlines():
    encoded = tokenizer.apply_chat_template(json.loads(line)["messages"], return_dict=True, return_assistant_tokens_mask=True)
    ids, mask = torch.tensor(encoded["input_ids"]), torch.tensor(encoded["assistant_masks"])
    rows.append({"input_ids": ids, "labels": torch.where(mask == 1, ids, -100)})


def collate(batch):
    """Three tensors of (rows, longest row)."""
    ids = pad_sequence([row["input_ids"] for row in batch], batch_first=True, padding_value=tokenizer.pad_token_id)
    labels = pad_sequence([row["labels"] for row in batch], batch_first=True, padding_value=-100)
    return {"input_ids": ids, "labels": labels, "attention_mask": ids.ne(tokenizer.pad_token_id)}


arguments = TrainingArguments(
    output_dir=settings["output"],
    per_device_train_batch_size=settings["batch_size"],
    use_cpu=True,
    report_to=[],
    disable_tqdm=True,
    remove_unused_columns=False,
    dataloader_pin_memory=False,
    **settings["common"],
)
model = AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.float32)
Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate).train()
