"""Jobs: work too long for one request, kept in a database and resumed after a crash."""
