"""`--help` is quick and says what there is."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import ROOT

HEAVY = ("torch", "transformers", "wandb", "openai", "datasets", "aiohttp", "pyarrow", "numpy", "jinja2")


def test_help_names_every_stage_every_group_and_five_examples(radgpt: Callable, tmp_path: Path) -> None:
    told = radgpt("--help", cwd=tmp_path).stdout
    for stage in (ROOT / "conf" / "stage").glob("*.yaml"):
        assert f"  {stage.stem} " in told
    for group in (folder.name for folder in (ROOT / "conf").iterdir() if folder.is_dir()):
        assert f"{group}: " in told or f"{group}/" in told
    assert told.count("  python run.py") >= 7
    assert list(tmp_path.iterdir()) == []


def test_help_imports_nothing_heavy(tmp_path: Path, environment: dict[str, str]) -> None:
    script = f"""
import sys
sys.argv = ["run.py", "--help"]
from radgpt.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0
print("LOADED", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("LOADED []")


def test_shell_completion_offers_stages(radgpt: Callable, tmp_path: Path) -> None:
    done = radgpt("-sc", "query=bash", cwd=tmp_path, COMP_LINE="python run.py stage=pre")
    assert "stage=preprocess" in done.stdout.split()
