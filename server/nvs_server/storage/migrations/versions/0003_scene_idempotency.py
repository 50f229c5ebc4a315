"""Idempotency keys of requests that make scenes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "scene_idempotency_keys",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("scene_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["scene_id"],
            ["scenes.id"],
            name=op.f("fk_scene_idempotency_keys_scene_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_scene_idempotency_keys")),
    )
    op.create_index(
        op.f("ix_scene_idempotency_keys_scene_id"),
        "scene_idempotency_keys",
        ["scene_id"],
        unique=False,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("scene_idempotency_keys")
