"""`nvs serve` and `nvs keys`: the service, and who may use it."""
