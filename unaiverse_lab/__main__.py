"""``python -m unaiverse_lab``: the command, where no scripts are on the path."""

from unaiverse_lab.cli import main

if __name__ == "__main__":
    main()
