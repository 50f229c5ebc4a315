"""What the owner of a job may keep, for results whose size shows at its end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    """Add the column; jobs of before have no limit."""
    op.add_column("jobs", sa.Column("limit_bytes", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("jobs", "limit_bytes")
