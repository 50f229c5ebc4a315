"""The contract: pydantic models of every request and answer body that goes over HTTP.

The service returns them and the client validates with them. Requests forbid unknown
fields; a client reads answers with `extra="ignore"`, so that a newer service may say
more. Nothing here knows torch.
"""
