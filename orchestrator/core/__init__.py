"""What is decided, apart from how it is done: plain data and functions, without a clock, input or output."""
