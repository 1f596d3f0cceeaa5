"""Train with TRL's SFTTrainer, loss on assistant tokens alone.

python run_trl.py SETTINGS.json
"""

import json
import sys
from pathlib import Path

import stopwatch
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

stopwatch.start()
settings = json.loads(Path(sys.argv[1]).read_text())
chats = [{"messages": json.loads(line)["messages"]} for line in Path(settings["chats"]).read_text().splitlines()]
arguments = SFTConfig(
    output_dir=settings["output"],
    per_device_train_batch_size=settings["rows"] if settings["packed"] else settings["batch_size"],
    max_length=settings["row_length"],
    packing=settings["packed"],
    assistant_only_loss=True,
    use_cpu=True,
    bf16=False,
    report_to=[],
    disable_tqdm=True,
    dataloader_pin_memory=False,
    **settings["common"],
)
trainer = SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.float32),
    args=arguments,
    train_dataset=Dataset.from_list(chats),
    processing_class=AutoTokenizer.from_pretrained(settings["model"]),
)
trainer.train()
if settings["keep"]:
    trainer.save_model(settings["output"])
