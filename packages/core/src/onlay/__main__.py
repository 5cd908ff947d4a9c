"""`python -m onlay`, so that `accelerate launch -m onlay train` and `torchrun -m onlay train`
work."""

from onlay.cli import main

if __name__ == "__main__":
    main()
