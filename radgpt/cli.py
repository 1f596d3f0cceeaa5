"""The command line: compose a config with Hydra, refuse what is wrong with it in one line, run what it names."""

import os
import re
import sys
import traceback
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from radgpt import stages
from radgpt.config import Config, Governance, Launcher, Source
from radgpt.errors import UserError
from radgpt.governance.modes import close_to_others
from radgpt.governance.redaction import redact_sweep
from radgpt.governance.telemetry import switch_off_telemetry
from radgpt.launching.crew import ToldElsewhereError
from radgpt.mistakes import explain
from radgpt.validation import validated

FAILURE = 1
USER_MISTAKE = 2
INTERRUPTED = 130


class ToldError(Exception):
    """A failed job of a sweep whose line is on the console of the process that ran it."""

    def __init__(self, line: str, pid: int) -> None:
        super().__init__(line, pid)
        self.line, self.pid = line, pid


def main() -> None:
    """Entry point of `python run.py` and of the `radgpt` command.

    Exit codes: 0 done, 2 a mistake that the one printed line mends, 1 any other error, 130 interrupted.
    HYDRA_FULL_ERROR=1 shows the traceback of every error.
    """
    with_traceback = bool(os.environ.get("HYDRA_FULL_ERROR"))
    # Hydra prints and exits by itself unless told to raise; raising is what lets an error be said in the user's terms.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    switch_off_telemetry()
    register_schema()
    # DeepSpeed's launcher says it to each rank, and in the environment as well.
    sys.argv = [word for word in sys.argv if not re.fullmatch(r"--local[_-]rank=\d+", word)]
    try:
        compose_and_run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except ToldError as told:
        if told.pid != os.getpid():
            # The job ran elsewhere, as Slurm's do.
            print(f"radgpt: {told.line}", file=sys.stderr)
        sys.exit(USER_MISTAKE)
    except ToldElsewhereError:
        sys.exit(FAILURE)
    except Exception as error:
        line = explain(error)
        if line is None or with_traceback:
            traceback.print_exception(error)
        if line is None:
            sys.exit(FAILURE)
        print(f"radgpt: {line}", file=sys.stderr)
        sys.exit(USER_MISTAKE)


def compose_and_run() -> None:
    """Let Hydra read the command line and call `run` for each job; raises what a job raised."""
    failures: list[Exception] = []

    def job(cfg: DictConfig) -> float | None:
        sweeps = HydraConfig.get().mode is RunMode.MULTIRUN
        if sweeps and (reason := why_no_sweep(cfg)):
            # All its jobs are refused alike, which one line says.
            failures.append(UserError(reason))
            return None
        try:
            if sweeps:
                seal_sweep(Path(HydraConfig.get().sweep.dir), cfg.data.governance)
            return run(validated(cfg), list(HydraConfig.get().overrides.task))
        except Exception as error:
            if sweeps:
                tell_at_once(error)
            # Hydra would print a line of its own about an exception that leaves a single job.
            failures.append(error)
            return None

    hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")(job)()
    if failures:
        raise failures[0]


def seal_sweep(folder: Path, governance: Governance) -> None:
    """Let the folder that Hydra made for a sweep before any run began obey the class of its data."""
    redact_sweep(folder / "multirun.yaml")
    if governance is Governance.credentialed:
        close_to_others(folder)


def tell_at_once(error: Exception) -> None:
    """Say what ended a job of a sweep now: Hydra tells only after the last job."""
    line = explain(error)
    if line is None:
        raise error
    line = f"job {HydraConfig.get().job.num}: {line}"
    print(f"radgpt: {line}", file=sys.stderr, flush=True)
    raise ToldError(line, os.getpid()) from error


def run(config: Config, overrides: list[str]) -> float | None:
    """Run the stage that the config names, and give the metric that `objective` names to the sweeper."""
    from radgpt.execute import run_pipeline, run_stage
    from radgpt.external import folders_listed_once
    from radgpt.launch import crew_of, follow
    from radgpt.tracking import sync_line

    if config.dry_run:
        from radgpt.dry_run import tell

        with folders_listed_once():
            tell(config, overrides)
        return None
    with crew_of(config) as crew:
        if crew is not None and not crew.leads:
            follow(crew, config)
            return None
        warn_of_open_mimic(config)
        with folders_listed_once():
            metrics = run_pipeline(config, overrides) if config.stage == "pipeline" else run_stage(config, config.stage, overrides)
    if hint := sync_line(config):
        print(hint, flush=True)
    if config.objective is None:
        return None
    if config.objective not in metrics:
        raise UserError(f"objective={config.objective} is no headline metric of this run; it has {', '.join(metrics) or 'none'}")
    return float(metrics[config.objective])


def register_schema() -> None:
    """Give Hydra the dataclasses as the schema that every YAML file is checked against, and the help text."""
    store = ConfigStore.instance()
    schema = OmegaConf.structured(Config)
    for mapping in (schema.models, schema.compare.predictions, schema.evaluation.weights):
        # Its names are the user's: no plus is asked in front of a new one.
        OmegaConf.set_struct(mapping, False)
    store.store(name="schema", node=schema)
    store.store(
        group="hydra/help",
        name="radgpt",
        node={"app_name": "radgpt", "header": "", "footer": "", "template": help_text() if asks_for_help() else ""},
    )


def conf_folder() -> Path:
    """`conf/` of the checkout, or the one inside an installed wheel."""
    package = Path(__file__).resolve().parent
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


def why_no_sweep(cfg: DictConfig) -> str | None:
    """Why there can be no sweep where several processes were given the command: that of each would choose for itself."""
    from radgpt.launch import started_by_hand

    if started_by_hand():
        return "-m cannot be started by torchrun or deepspeed; start one process with -m launch=torchrun launch.processes=N instead"
    if cfg.launch.launcher is Launcher.torchrun and cfg.launch.nodes > 1:
        return f"-m cannot be typed on each of launch.nodes={cfg.launch.nodes}; give every combination by itself, or use launch=slurm"
    return None


def warn_of_open_mimic(config: Config) -> None:
    """Say that MIMIC-CXR's reports are credentialed, where the config says otherwise: made-up reports may be laid out like them."""
    if config.data.source is Source.mimic_cxr and config.data.governance is not Governance.credentialed:
        typed = config.data.governance.name
        print(
            f"radgpt: data=mimic_cxr with data.governance={typed}: right for made-up reports only, MIMIC-CXR's own are credentialed",
            file=sys.stderr,
            flush=True,
        )


def asks_for_help() -> bool:
    """Whether the command line asks for the help text, which takes importing every stage."""
    return any(argument in ("--help", "-h") for argument in sys.argv[1:])


def help_text() -> str:
    """What `--help` prints: stages, groups, examples."""
    return HELP.replace("<stages>", "\n".join(f"  {name:<26}{stages.load(name).purpose}" for name in stages.in_order()))


HELP = """radgpt: from radiology reports to a chat model

  python run.py                        the whole line on shipped synthetic reports, on a CPU, offline
  python run.py stage=STAGE [group=option …] [setting=value …]

Stages (stage=…), in the order of the line:
<stages>
  pipeline                  Run the stages listed under `pipeline`, in order; the first failure ends it.

A stage whose outcome exists for the same settings is skipped (force=true runs it again);
a killed one goes on where it stopped when the same command is given again.

Groups and their options:
$APP_CONFIG_GROUPS
Examples:
  python run.py stage=preprocess experiment=hippo/lora data.path=/data/mimic-cxr
  python run.py stage=generate_instructions experiment=hippo/lora data.path=/data/mimic-cxr teacher.base_url=http://127.0.0.1:8000/v1
  python run.py stage=generate_instructions data=openi data.path=NLMCXR_reports.tgz teacher=openai dry_run=true
  python run.py stage=review experiment=demo/synthetic
  python run.py stage=finetune experiment=hippo/lora data.path=/data/mimic-cxr deepspeed=zero2 launch=torchrun
  torchrun --nproc_per_node 8 run.py stage=finetune experiment=hippo/lora data.path=/data/mimic-cxr deepspeed=zero3
  python run.py stage=finetune experiment=hippo/lora data.path=/data/mimic-cxr launch=slurm launch.nodes=2 hydra.launcher.partition=gpu
  python run.py -m stage=finetune experiment=demo/synthetic tuning.r=4,8,16 training.learning_rate=1e-3,2e-3
  python run.py stage=chat experiment=demo/synthetic chat.report=report.txt
  python run.py stage=chat experiment=demo/synthetic backend=local backend.model=NAME
  python run.py stage=serve experiment=demo/synthetic
  python run.py stage=predict experiment=demo/synthetic prediction.file=questions.jsonl
  python run.py stage=evaluate experiment=demo/synthetic judge=local
  python run.py stage=compare experiment=demo/synthetic 'models={base: "tuning=none"}'
  python run.py stage=rate experiment=demo/synthetic 'models={base: "tuning=none"}'

  --cfg job        show the composed settings        -m            run every combination of comma lists
  --info defaults  show where they come from         -sc install=bash   install shell completion
  --hydra-help     Hydra's own options
"""
