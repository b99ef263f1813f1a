"""The sample service that `startup.yaml` starts: bookmarks on SQLite, and a digest of them."""
