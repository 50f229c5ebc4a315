"""How the gateway has things computed: a protocol, and processes on this machine."""
