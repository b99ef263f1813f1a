"""What Linux is asked: signals, processes, users, sockets, bounded reads, files."""
