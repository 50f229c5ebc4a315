"""Who is asking: the principal of a request, and the scopes it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

from starlette.requests import HTTPConnection

from nvs.api.system import Quotas, Scope
from nvs_server.problems import Problem

SCOPES: frozenset[Scope] = frozenset(get_args(Scope))
LOCAL_OWNER = "local"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request.

    Attributes:
        owner: Whose scenes and jobs these are.
        key_id: The key's id; None on an open server.
        key_name: The key's name; None on an open server.
        scopes: What the caller may do.
        quotas: What the owner may keep and build.
    """

    owner: str
    key_id: str | None
    key_name: str | None
    scopes: frozenset[Scope]
    quotas: Quotas

    @property
    def auth(self) -> Literal["open", "key"]:
        """Whether a key was needed."""
        return "open" if self.key_id is None else "key"

    def require(self, scope: Scope) -> None:
        """Check that the caller has a scope; `admin` has them all.

        Raises:
            Problem: `scope-missing`, 403.
        """
        if scope in self.scopes or "admin" in self.scopes:
            return
        raise Problem(
            "scope-missing",
            f"The key {self.key_name!r} has the scopes "
            f"{', '.join(sorted(self.scopes)) or 'none'}; this needs {scope}.",
        )


def principal_of(connection: HTTPConnection) -> Principal:
    """The principal that the authentication middleware found."""
    return connection.state.principal


def requires(
    scope: Scope | None,
) -> Callable[[HTTPConnection], Awaitable[Principal]]:
    """A dependency that gives the principal if it has the scope (None: any caller)."""

    async def principal(connection: HTTPConnection) -> Principal:
        found = principal_of(connection)
        if scope is not None:
            found.require(scope)
        return found

    return principal
