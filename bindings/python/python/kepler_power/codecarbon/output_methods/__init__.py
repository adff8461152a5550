"""Where rows go, one file a way."""
