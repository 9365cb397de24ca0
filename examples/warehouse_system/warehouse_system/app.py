"""The service: HTTP to the store and back."""

from typing import Annotated, Any

from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse

from warehouse_system.models import (
    BinContent,
    Booking,
    BookingRequest,
    Key,
    Name,
    Notification,
    NotificationRequest,
    Stock,
    Ticket,
    TicketRequest,
)
from warehouse_system.store import Refused, Store

Once = Annotated[Key, Header(alias="Idempotency-Key")]


def make_app(store: Store) -> FastAPI:
    app = FastAPI(title="Warehouse system", version="1", description=__doc__ or "")

    @app.exception_handler(Refused)
    def refused(_: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, error.status)

    @app.get("/stock/{item}", operation_id="get_stock")
    def get_stock(item: Name) -> Stock:
        return Stock(**store.stock(item))

    @app.get("/bins/{bin}", operation_id="get_bin")
    def get_bin(bin: Name) -> BinContent:
        return BinContent(**store.bin(bin))

    @app.post("/bookings", operation_id="book", status_code=201)
    def book(request: BookingRequest, once: Once) -> Booking:
        return Booking(**store.book(once, request))

    @app.get("/bookings/{key}", operation_id="get_booking")
    def get_booking(key: Key) -> Booking:
        return Booking(**store.booking(key))

    @app.post("/bookings/{key}/cancel", operation_id="cancel", status_code=201)
    def cancel(key: Key, once: Once) -> Booking:
        return Booking(**store.cancel(once, key))

    @app.post("/tickets", operation_id="open_ticket", status_code=201)
    def open_ticket(request: TicketRequest, once: Once) -> Ticket:
        return Ticket(**store.open_ticket(once, request))

    @app.get("/tickets/{key}", operation_id="get_ticket")
    def get_ticket(key: Key) -> Ticket:
        return Ticket(**store.ticket(key))

    @app.post("/notifications", operation_id="notify", status_code=201)
    def notify(request: NotificationRequest, once: Once) -> Notification:
        return Notification(**store.notify(once, request))

    @app.get("/notifications/{key}", operation_id="get_notification")
    def get_notification(key: Key) -> Notification:
        return Notification(**store.notification(key))

    @app.get("/", include_in_schema=False)
    def root() -> dict[str, Any]:
        """That it is up, and how much it holds."""
        return store.counts()

    return app
