"""``python -m unaiverse_lab.cli``."""

from unaiverse_lab.cli import main

if __name__ == "__main__":
    main()
