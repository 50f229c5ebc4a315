"""Several devices for one scene: ranks, what they send each other, what each works on.

`launch` starts the ranks of a command, `group` is what they are to each other, `split`
spreads a network that trains over them, `timing` says how long a build takes.
"""
