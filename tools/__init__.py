"""What writes the derived files of the repository; not part of the distribution."""
