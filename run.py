"""Run one stage, or the whole line: python run.py --help."""

from radgpt.cli import main

if __name__ == "__main__":
    main()
