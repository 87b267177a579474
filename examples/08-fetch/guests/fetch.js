// A component in JavaScript that fetches JSON by wasi:http and has Lua write
// it out. QuickJS has no `fetch`, so `get` below is what it takes.
//
// What leaves `headlines` by a throw is the `err` of its result.
import { callString } from "wippy:runtime/funcs@0.1.0";
import { Fields, OutgoingRequest } from "wasi:http/types@0.2.10";
import { handle } from "wasi:http/outgoing-handler@0.2.10";

export function headlines(address) {
  return callString("news:write", get(address));
}

// An `err` of an imported function is thrown as an Error, with what it holds as `payload`.
function named(call) {
  try {
    return call();
  } catch (error) {
    throw error.payload?.tag ?? String(error);
  }
}

function get(address) {
  const response = answer(named(() => handle(requestFor(address), null)));
  if (response.status() !== 200) throw `${address}: status ${response.status()}`;
  const body = response.consume();
  const stream = body.stream();
  const content = text(stream);
  drop(stream, body); // a stream goes before its body: the garbage collector would not know
  return content;
}

function drop(...resources) {
  resources.forEach((resource) => resource[Symbol.dispose]());
}

function requestFor(address) {
  const [, scheme, authority, path] = address.match(/^(https?):\/\/([^/]+)(.*)$/) ?? [];
  if (!scheme) throw new TypeError(`${address} is not an address of the web`);
  const request = new OutgoingRequest(Fields.fromList([["accept", utf8("application/json")]]));
  request.setScheme({ tag: scheme.toUpperCase() });
  request.setAuthority(authority);
  request.setPathWithQuery(path || "/");
  return request;
}

// Waits for the response. What is refused or fails has a name: connection-refused, HTTP-request-denied, ...
function answer(future) {
  const pollable = future.subscribe();
  pollable.block();
  drop(pollable);
  const { tag, val } = future.get().val; // a result, of which the future gives one
  if (tag === "err") throw val.tag;
  return val;
}

function text(stream) {
  const bytes = [];
  for (;;) {
    try {
      for (const byte of stream.blockingRead(65536)) bytes.push(byte);
    } catch (error) {
      if (error.payload?.tag === "closed") break;
      throw "the body ended too soon";
    }
  }
  return decodeURIComponent(bytes.map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""));
}

function utf8(text) {
  return Uint8Array.from(unescape(encodeURIComponent(text)), (letter) => letter.charCodeAt(0));
}
