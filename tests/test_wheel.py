"""An installed wheel carries conf/, experiments/, templates and prices as real files and composes from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT


@pytest.mark.slow
def test_the_wheel_works_away_from_the_checkout(tmp_path: Path, environment: dict[str, str]) -> None:
    built = tmp_path / "built"
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(ROOT)], check=True, capture_output=True
    )
    (wheel,) = built.glob("radgpt-*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    shipped = {path.relative_to(installed / "radgpt" / "conf") for path in (installed / "radgpt" / "conf").rglob("*.yaml")}
    assert {path.relative_to(ROOT / "conf") for path in (ROOT / "conf").glob("*/*.yaml")} <= shipped
    assert Path("experiment/demo/synthetic.yaml") in shipped
    package = [path.relative_to(ROOT) for path in (ROOT / "radgpt").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {"quality.html.j2", "card.md.j2", "style.css", "prices.yaml", "review.js", "icon.svg"} <= {path.name for path in package}
    for path in package:
        assert (installed / path).read_bytes() == (ROOT / path).read_bytes(), path
    done = subprocess.run(
        [sys.executable, "-c", "import radgpt; print(radgpt.__file__); from radgpt.cli import main; main()", "--cfg", "job", "model=tiny"],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(installed)) and "source: tiny" in done.stdout
    assert not os.path.islink(installed / "radgpt" / "conf" / "experiment")
