"""The receipts of all orders that are any, and who has none."""

from __future__ import annotations

import json
from pathlib import Path

import polycall

HERE = Path(__file__).parent

with polycall.load(HERE) as registry, (HERE / "orders.jsonl").open(encoding="utf-8") as lines:
    orders = [json.loads(line) for line in lines]
    receipts = registry.map("app:receipt", orders, workers=2, keep_going=True)
    for order, receipt in zip(orders, receipts, strict=True):
        failed = isinstance(receipt, polycall.PolycallError)
        print(f"{order['customer']}: {'no receipt' if failed else receipt}")
