// The world `web` of web.wit: JavaScript as it is written for browsers.

async function told(answer) {
  const type = answer.headers.get("content-type");
  return `status: ${answer.status}\ntype: ${type}\nbody: ${await answer.text()}\n`;
}

// In an export that returns a result, what is thrown becomes its error.
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    throw String(error.message ?? error);
  }
}

export const get = (url) => attempt(async () => told(await fetch(url, { headers: { "x-mine": "yes" } })));
export const post = (url, body) => attempt(async () => told(await fetch(url, { method: "POST", body })));

export function postPieces(url, pieces) {
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    pull(controller) {
      if (pieces.length === 0) controller.close();
      else controller.enqueue(encoder.encode(pieces.shift()));
    },
  });
  return attempt(async () => told(await fetch(url, { method: "POST", body, duplex: "half" })));
}

export function count(url) {
  return attempt(async () => {
    let size = 0n;
    const reader = (await fetch(url)).body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return size;
      size += BigInt(value.length);
    }
  });
}

export async function sleep(milliseconds) {
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return performance.now() - start >= milliseconds;
}

export const time = () => Date.now() > 1.7e12;
export const random = (size) => crypto.getRandomValues(new Uint8Array(size));
export const print = (text) => console.log(text);
