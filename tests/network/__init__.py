"""A real AT Protocol network on this machine: PLC directory and PDS from npm, run by Node."""
