"""The declarative base of the tables of matching."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import Text

from shared import db


class Base(DeclarativeBase):
    """Base of all tables of matching."""

    metadata = db.metadata()
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own convention
        str: Text,
        list[str]: ARRAY(Text),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        datetime: DateTime(timezone=True),
    }
