"""The work, one package per domain. A domain never imports another."""
