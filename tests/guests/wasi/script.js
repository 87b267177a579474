// The world `script` of script.wit: runs the JavaScript that a test hands over.
//
// A script sees every interface of WASI as a property of `wasi`, in camel case
// (`wasi.filesystem.types`), and what `helpers` below defines. Each function
// that it calls is noted under its WIT name in `wasi.called`.
import * as ioError from "wasi:io/error@0.2.12";
import * as poll from "wasi:io/poll@0.2.12";
import * as streams from "wasi:io/streams@0.2.12";
import * as environment from "wasi:cli/environment@0.2.12";
import * as exit from "wasi:cli/exit@0.2.12";
import * as stdin from "wasi:cli/stdin@0.2.12";
import * as stdout from "wasi:cli/stdout@0.2.12";
import * as stderr from "wasi:cli/stderr@0.2.12";
import * as terminalStdin from "wasi:cli/terminal-stdin@0.2.12";
import * as terminalStdout from "wasi:cli/terminal-stdout@0.2.12";
import * as terminalStderr from "wasi:cli/terminal-stderr@0.2.12";
import * as monotonicClock from "wasi:clocks/monotonic-clock@0.2.12";
import * as wallClock from "wasi:clocks/wall-clock@0.2.12";
import * as filesystemTypes from "wasi:filesystem/types@0.2.12";
import * as preopens from "wasi:filesystem/preopens@0.2.12";
import * as random from "wasi:random/random@0.2.12";
import * as insecure from "wasi:random/insecure@0.2.12";
import * as insecureSeed from "wasi:random/insecure-seed@0.2.12";
import * as instanceNetwork from "wasi:sockets/instance-network@0.2.12";
import * as ipNameLookup from "wasi:sockets/ip-name-lookup@0.2.12";
import * as tcp from "wasi:sockets/tcp@0.2.12";
import * as tcpCreateSocket from "wasi:sockets/tcp-create-socket@0.2.12";
import * as udp from "wasi:sockets/udp@0.2.12";
import * as udpCreateSocket from "wasi:sockets/udp-create-socket@0.2.12";
// Under this name while it is built: see JS_STAND_IN of ../build.py.
import * as httpError from "xasi:io/error@0.2.10";
import * as httpPoll from "xasi:io/poll@0.2.10";
import * as httpStreams from "xasi:io/streams@0.2.10";
import * as httpTypes from "wasi:http/types@0.2.10";
import * as outgoingHandler from "wasi:http/outgoing-handler@0.2.10";

const interfaces = {
  "wasi:io/error": [ioError, httpError],
  "wasi:io/poll": [poll, httpPoll],
  "wasi:io/streams": [streams, httpStreams],
  "wasi:cli/environment": [environment],
  "wasi:cli/exit": [exit],
  "wasi:cli/stdin": [stdin],
  "wasi:cli/stdout": [stdout],
  "wasi:cli/stderr": [stderr],
  "wasi:cli/terminal-stdin": [terminalStdin],
  "wasi:cli/terminal-stdout": [terminalStdout],
  "wasi:cli/terminal-stderr": [terminalStderr],
  "wasi:clocks/monotonic-clock": [monotonicClock],
  "wasi:clocks/wall-clock": [wallClock],
  "wasi:filesystem/types": [filesystemTypes],
  "wasi:filesystem/preopens": [preopens],
  "wasi:random/random": [random],
  "wasi:random/insecure": [insecure],
  "wasi:random/insecure-seed": [insecureSeed],
  "wasi:sockets/instance-network": [instanceNetwork],
  "wasi:sockets/ip-name-lookup": [ipNameLookup],
  "wasi:sockets/tcp": [tcp],
  "wasi:sockets/tcp-create-socket": [tcpCreateSocket],
  "wasi:sockets/udp": [udp],
  "wasi:sockets/udp-create-socket": [udpCreateSocket],
  "wasi:http/types": [httpTypes],
  "wasi:http/outgoing-handler": [outgoingHandler],
};

const kebab = (name) => name.replace(/[A-Z]/g, (letter, at) => (at ? "-" : "") + letter.toLowerCase());
const camel = (name) => name.replace(/-./g, (pair) => pair[1].toUpperCase());

const called = new Set();

function noted(label, call) {
  return function (...values) {
    called.add(label);
    return call.apply(this, values);
  };
}

// A resource: its methods are replaced where they are, on the prototype.
function notedResource(name, label, resource) {
  Object.defineProperty(resource, "name", { value: name, configurable: true }); // the tool leaves it empty
  for (const [holder, kind] of [[resource.prototype, "method"], [resource, "static"]]) {
    for (const method of Object.getOwnPropertyNames(holder)) {
      const property = Object.getOwnPropertyDescriptor(holder, method);
      if (method === "constructor" || method === "prototype" || typeof property.value !== "function") continue;
      const call = noted(`${label}#[${kind}]${kebab(name)}.${kebab(method)}`, property.value);
      Object.defineProperty(holder, method, { ...property, value: call });
    }
  }
  return new Proxy(resource, {
    construct(target, values) {
      called.add(`${label}#[constructor]${kebab(name)}`);
      return Reflect.construct(target, values);
    },
  });
}

function notedInterface(label, interface_) {
  const members = {};
  for (const [name, member] of Object.entries(interface_)) {
    if (name === "default" || typeof member !== "function") continue;
    const isResource = /^[A-Z]/.test(name);
    members[name] = isResource ? notedResource(name, label, member) : noted(`${label}#${kebab(name)}`, member);
  }
  return members;
}

globalThis.wasi = { called };
for (const [label, [interface_, again]] of Object.entries(interfaces)) {
  const [, group, name] = label.match(/wasi:(.+)\/(.+)/);
  (wasi[group] ??= {})[camel(name)] = notedInterface(label, interface_);
  if (again) notedInterface(label, again);
}

// What scripts use all the time.
Object.assign(globalThis, {
  bytes: (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0)),
  text: (data) => Array.from(data, (byte) => String.fromCharCode(byte)).join(""),
  // What a call answers or throws, as the result that it is in WIT.
  attempt(call) {
    try {
      return { ok: call() ?? null };
    } catch (error) {
      if (error instanceof Error && !("payload" in error)) throw error; // a mistake of the script
      return { err: error instanceof Error ? error.payload : error };
    }
  },
  drop: (...resources) => resources.forEach((resource) => resource[Symbol.dispose]()),
  // Waits for a stream, a socket or a future; its pollable must go before it does.
  wait(subject) {
    const pollable = subject.subscribe();
    pollable.block();
    drop(pollable);
  },
  // The whole rest of an input stream, as text.
  drain(stream) {
    let all = "";
    for (;;) {
      const part = attempt(() => stream.blockingRead(65536));
      if (part.err) return part.err.tag === "closed" ? all : part;
      all += text(part.ok);
    }
  },
});

// Bytes become text; of a resource only the name of its class.
function plain(key, value) {
  if (value instanceof Uint8Array) return text(value);
  if (value instanceof Set) return [...value].sort();
  if (value === undefined) return null;
  const isResource = typeof value === "object" && value !== null && Symbol.dispose in value;
  return isResource ? `<${value.constructor.name}>` : value;
}

export function evaluate(script) {
  try {
    return JSON.stringify((0, eval)(script), plain) ?? "null";
  } catch (error) {
    if (!(error instanceof Error)) throw JSON.stringify(error, plain);
    throw "payload" in error ? JSON.stringify(error.payload, plain) : `${error}\n${error.stack}`;
  }
}
