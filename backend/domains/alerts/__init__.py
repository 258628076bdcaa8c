"""Alerts: the operator is told of what needs a person, through the channels of the settings."""
