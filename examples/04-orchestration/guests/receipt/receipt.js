// A component in JavaScript that writes a receipt together with three Lua
// functions. world.wit says what it exports.
//
// Nothing here catches an error: an `err` of an imported call is thrown, and
// what leaves `render` by a throw is the `err` of its result.
import { callBytes, callString } from "wippy:runtime/funcs@0.1.0";

export function render(order) {
  const { customer, items, quote } = readOrder(order);
  const lines = [
    `Receipt for ${customer}`,
    "",
    ...items.map(itemLine),
    "",
    amountLine("Subtotal", quote["subtotal-cents"]),
    amountLine("Discount", -quote["discount-cents"]),
    amountLine("Tax", quote["tax-cents"]),
    amountLine("Total", quote["total-cents"]),
    "",
    callString("shop:greeting", customer),
  ];
  const text = lines.join("\n");
  return `${text}\nStamp: ${hex(callBytes("shop:stamp", utf8(text)))}`;
}

function readOrder(json) {
  const order = JSON.parse(json);
  requireThat(typeof order?.customer === "string", "$.customer: expected a string");
  requireThat(Array.isArray(order.items), "$.items: expected an array");
  order.items.forEach((item, index) => {
    const path = `$.items[${index}]`;
    requireThat(typeof item?.sku === "string", `${path}.sku: expected a string`);
    requireCount(item, "quantity", path);
    requireCount(item, "unit-cents", path);
  });
  for (const part of ["subtotal", "discount", "tax", "total"]) {
    requireCount(order.quote, `${part}-cents`, "$.quote");
  }
  return order;
}

// JSON numbers are doubles here: beyond 2^53 - 1 cents they lose cents.
function requireCount(object, key, path) {
  const value = object?.[key];
  requireThat(Number.isSafeInteger(value) && value >= 0, `${path}.${key}: expected a whole number`);
}

function requireThat(condition, message) {
  if (!condition) {
    throw new Error(message);
  }
}

function itemLine({ sku, quantity, "unit-cents": unitCents }) {
  return amountLine(`${quantity} x ${sku}`, quantity * unitCents);
}

function amountLine(label, cents) {
  const amount = callString("shop:money", String(Math.abs(cents)));
  return label.padEnd(24) + (cents < 0 ? `-${amount}` : amount).padStart(14);
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// This engine has no TextEncoder.
function utf8(text) {
  const bytes = unescape(encodeURIComponent(text));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}
