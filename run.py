"""Run one stage, or the whole line: python run.py --help."""

if __name__ == "__main__":
    # Inside the guard: worker processes import this file too, and need none of it.
    from radgpt.cli import main

    main()
