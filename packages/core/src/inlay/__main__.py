"""`python -m inlay`, so that `accelerate launch -m inlay train` and `torchrun -m inlay train`
work."""

from inlay.cli import main

if __name__ == "__main__":
    main()
