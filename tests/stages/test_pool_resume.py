"""A row that failed and succeeds on the rerun changes no other row's prompt: nothing else is paid for again."""

import shutil
from pathlib import Path
from typing import Any

from fake_openai import serve

from radgpt.artifacts import write_records
from radgpt.config import Data, DataUse, Governance, InstructionPrompt, Instructions, Provider, Source, Teacher
from radgpt.records import Generation, Report, read_records
from radgpt.run import Run
from radgpt.stages import generate_instructions

TASK = "question_answering"
PROMPT = InstructionPrompt(
    version="i1", templates={TASK: "{report}\n{examples}"}, system="Ask.", seeds={TASK: ["Seed one?", "Seed two?"]}, examples=2
)
INSTRUCTIONS = Instructions(task_weights={TASK: 1.0}, per_report=1, pool_epoch=4)
KINDS = ("effusion", "nodule", "fracture", "edema", "scar", "mass", "pneumonia", "device")


def reply(messages: list[dict[str, str]]) -> str:
    """A sound question that differs from report to report."""
    number = int(messages[-1]["content"].split("\n")[0].split()[-1])
    return f"Is any {KINDS[number % 8]} described in the findings{' of this report' * (number > 7)}?"


def generate(folder: Path, reports: Path, url: str, **settings: Any) -> list[Generation]:
    folder.mkdir(exist_ok=True)
    run = Run(directory=folder, writes=generate_instructions.WRITES)
    teacher = Teacher(
        provider=Provider.local, model="m", base_url=url, max_attempts=1, max_requests_per_minute=60000, max_tokens_per_minute=1e8
    )
    data = Data(source=Source.synthetic, governance=Governance.synthetic)
    generate_instructions.run(run, reports, INSTRUCTIONS, PROMPT, teacher, data, DataUse(), 0)
    return list(read_records(run.path("raw_instructions"), Generation))


def test_after_a_failed_row_succeeds_no_other_row_is_asked_again(tmp_path: Path) -> None:
    reports = tmp_path / "reports.jsonl"
    with write_records(reports) as write:
        for number in range(16):
            text = f"Report {number}\nFINDINGS: As told."
            write(Report(f"r{number}", f"p{number}", text, {"findings": "As told."}))
    with serve({"*": ["ok", "500"]}, reply=reply) as server:
        first = generate(tmp_path / "run", reports, server.base_url)
        assert sorted(row.outcome == "ok" for row in first) == [False, *[True] * 15]
        assert server.asked.total() == 16
        assert [path.name for path in sorted((tmp_path / "run" / "pool").iterdir())] == [f"epoch-0000{n}.jsonl" for n in range(4)]

        shutil.copytree(tmp_path / "run", tmp_path / "forgetful")
        second = generate(tmp_path / "run", reports, server.base_url)
        assert {row.outcome for row in second} == {"ok"}
        assert server.asked.total() == 17
        assert [row.prompt_sha256 for row in second] == [row.prompt_sha256 for row in first]

        # Without the epochs of the first pass, the row that failed would have changed the prompts of others.
        shutil.rmtree(tmp_path / "forgetful" / "pool")
        generate(tmp_path / "forgetful", reports, server.base_url)
        assert server.asked.total() > 18
