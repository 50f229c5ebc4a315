"""Who may do what: keys, scopes, rates, hosts and origins."""
