"""Videos of scenes, and what came of finding their cameras."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    """Add the columns; no scene of before has a video."""
    videos = sa.Column(
        "num_videos", sa.BigInteger(), nullable=False, server_default="0"
    )
    op.add_column("scenes", videos)
    op.add_column("scenes", sa.Column("posing", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for name in ("num_videos", "posing"):
        op.drop_column("scenes", name)
