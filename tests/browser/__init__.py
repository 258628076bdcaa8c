"""What people see, in a real browser, from a real server."""
