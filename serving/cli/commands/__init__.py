"""One module a command; each is thin over `serving.service`."""
