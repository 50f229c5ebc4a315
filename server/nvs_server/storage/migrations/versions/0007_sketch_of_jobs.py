"""What is known of the cameras of a scene while they are looked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"


def upgrade() -> None:
    """Add the column; jobs of before have none."""
    op.add_column("jobs", sa.Column("sketch", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("jobs", "sketch")
