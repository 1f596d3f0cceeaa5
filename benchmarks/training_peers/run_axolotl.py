"""Train with axolotl, whose own settings stand in the file.

python run_axolotl.py SETTINGS.yaml
"""

import sys

if __name__ == "__main__":  # it starts a process that imports this file again
    import stopwatch
    from axolotl.cli.args import TrainerCliArgs
    from axolotl.cli.config import load_cfg
    from axolotl.cli.train import do_train

    stopwatch.start()
    do_train(load_cfg(sys.argv[1]), TrainerCliArgs())
