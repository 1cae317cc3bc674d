"""Other programs that do Restante's job, each set up as its own documentation advises.

A file here is one peer: what runs in the peer's own environment, with its libraries and nothing of
Restante's. `roster` says how each is started, `setup` installs them, `rig` starts and ends them, `load` asks
them. They are measured by `bench/peers.py`.
"""
