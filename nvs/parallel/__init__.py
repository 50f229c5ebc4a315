"""Several devices for one scene: ranks, what they send each other, what each works on.

`devices` names them, `launch` starts those of a command, `meeting` joins those of a
service, `group` is what they are to each other, `split` spreads what a network does
over them, `timing` says how long a build takes.
"""
