"""Launch: the importing process, its servers, and the small supervisor that stays; knows nothing of specs."""
