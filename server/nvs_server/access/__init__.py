"""Who may do what: keys, scopes, rates, tickets, hosts and origins."""
