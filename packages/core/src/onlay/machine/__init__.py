"""What a process stands on: the operating system, the disk, signals, streams and notes."""
