"""Tickets of streams, which were in the memory of one gateway before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "tickets",
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("secret_sha256", name=op.f("pk_tickets")),
    )
    op.create_index(
        op.f("ix_tickets_expires_at"), "tickets", ["expires_at"], unique=False
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("tickets")
