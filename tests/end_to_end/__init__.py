"""The library against the emulator, over real HTTP."""
