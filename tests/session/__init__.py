"""Sessions on a scripted provider, in virtual time."""
