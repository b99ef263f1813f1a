"""Orders: placed, listed, looked up."""

from decimal import Decimal
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, selectinload

from orders import database
from orders.models import Line, Order

app = FastAPI(title="orders")
Opened = Annotated[Session, Depends(database.session)]
Page = Annotated[int, Query(ge=1, le=100)]


class Position(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    article: str = Field(min_length=1)
    quantity: int = Field(ge=1)
    price: Decimal = Field(ge=0, max_digits=10, decimal_places=2)


class NewOrder(BaseModel):
    customer: str = Field(min_length=1)
    lines: list[Position] = Field(min_length=1)


class PlacedOrder(NewOrder):
    model_config = ConfigDict(from_attributes=True)

    id: int


@app.get("/live")
def live() -> dict[str, str]:
    """Whether this process can answer; asks no dependency."""
    return {"status": "ok"}


@app.get("/ready")
def ready() -> dict[str, str]:
    """Whether it can serve: without its database it cannot."""
    try:
        database.answers()
    except SQLAlchemyError:
        raise HTTPException(503, "the database does not answer") from None
    return {"status": "ok"}


@app.post("/orders", status_code=201)
def place(order: NewOrder, opened: Opened) -> PlacedOrder:
    placed = Order(customer=order.customer, lines=[Line(**line.model_dump()) for line in order.lines])
    opened.add(placed)
    opened.commit()
    return PlacedOrder.model_validate(placed)


@app.get("/orders")
def listed(opened: Opened, limit: Page = 20) -> list[PlacedOrder]:
    newest = select(Order).options(selectinload(Order.lines)).order_by(Order.id.desc()).limit(limit)
    return [PlacedOrder.model_validate(each) for each in opened.scalars(newest)]


@app.get("/orders/{number}")
def one(number: int, opened: Opened) -> PlacedOrder:
    found = opened.get(Order, number)
    if found is None:
        raise HTTPException(404, f"there is no order {number}")
    return PlacedOrder.model_validate(found)
