// The test component of ../wit/world.wit, world `js-caller`, in JavaScript.
//
// An `err` of an imported call arrives as a thrown Error whose `message` and
// `payload` are the text. In an export that returns a result, a thrown error
// becomes its `err`; in any other export it traps.
import { callBytes, callString } from "wippy:runtime/funcs@0.1.0";

export function relayString(target, input) {
  return callString(target, input);
}

export function relayBytes(target, input) {
  return callBytes(target, input);
}

export function relayOrTrap(target, input) {
  return callString(target, input);
}

export function three(input) {
  const upper = callString("app:upper", input);
  const exclaimed = callString("app:exclaim", upper);
  return fromUtf8(callBytes("app:reverse-bytes", toUtf8(exclaimed)));
}

export function boom() {
  throw new Error("boom");
}

export const math = {
  add(a, b) {
    return (a + b) | 0; // wraps, as i32.add does
  },
};

// This engine has neither TextEncoder nor TextDecoder.

function toUtf8(text) {
  const bytes = unescape(encodeURIComponent(text));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}

function fromUtf8(bytes) {
  const characters = Array.from(bytes, (byte) => String.fromCharCode(byte));
  return decodeURIComponent(escape(characters.join("")));
}
