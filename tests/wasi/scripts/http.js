// wasi:http: requests to the server of the test, at `port`.
var { Fields, OutgoingRequest, OutgoingBody, RequestOptions, IncomingBody, httpErrorCode } = wasi.http.types;
var { handle } = wasi.http.outgoingHandler;
var hidden = ["date", "server", "connection", "transfer-encoding"]; // the server's own
var all = (fields) => fields.entries().map(([name, value]) => `${name}: ${text(value)}`).filter((line) => !hidden.includes(line.split(":")[0])).sort();

function request(method, path, headers = []) {
  var made = new OutgoingRequest(Fields.fromList(headers.map(([name, value]) => [name, bytes(value)])));
  made.setMethod({ tag: method });
  made.setScheme({ tag: "HTTP" });
  made.setAuthority(`127.0.0.1:${port}`);
  made.setPathWithQuery(path);
  return made;
}
// The result inside of the future's results, as one.
function response(future) {
  wait(future);
  var { tag, val } = future.get().val;
  var again = future.get();
  return { [tag]: val, again };
}
function trailersOf(body) {
  var future = IncomingBody.finish(body);
  wait(future);
  var { tag, val } = future.get().val;
  var trailers = tag === "err" ? { err: val } : val ? all(val) : null;
  drop(future);
  return trailers;
}
function finished(answer) {
  if (answer.err) return { err: answer.err.tag };
  var head = { status: answer.ok.status(), headers: all(answer.ok.headers()), again: answer.again.tag ?? answer.again };
  head.immutable = attempt(() => answer.ok.headers().append("x", bytes("y")));
  var body = answer.ok.consume();
  head.twice = attempt(() => answer.ok.consume());
  var stream = body.stream();
  head.streamTwice = attempt(() => body.stream());
  head.body = drain(stream);
  if (head.body.err) {
    var error = head.body.err.val;
    head.code = [head.body.err.tag, error ? httpErrorCode(error)?.tag : null];
    delete head.body;
  }
  drop(stream);
  head.trailers = trailersOf(body);
  drop(answer.ok);
  return head;
}
function get(path, headers, options = null) {
  var sent = attempt(() => handle(request("get", path, headers), options));
  if (sent.err) return { refused: sent.err };
  var result = finished(response(sent.ok));
  drop(sent.ok);
  return result;
}
// Sends `parts` one by one; the answer may begin before the last one is sent.
function post(path, parts, headers, trailers = null) {
  var made = request("post", path, headers);
  var body = made.body();
  var stream = body.write();
  var future = handle(made, null);
  for (var part of parts) {
    for (var at = 0; at < part.length; at += 4096) stream.blockingWriteAndFlush(part.slice(at, at + 4096));
  }
  drop(stream);
  var done = attempt(() => OutgoingBody.finish(body, trailers && Fields.fromList(trailers)));
  var result = finished(response(future));
  drop(future);
  return { done, ...result };
}

var report = {};
report.get = get("/hello?a=b", [["x-mine", "yes"]]);
report.missing = get("/missing");
report.redirect = get("/redirect");
report.empty = get("/empty");
report.head = (() => {
  var future = handle(request("head", "/hello"), null);
  var result = finished(response(future));
  drop(future);
  return result;
})();
report.chunked = get("/chunked");
report.trailers = get("/trailers");
report.untilClosed = get("/until-closed");
report.large = (() => {
  var result = get("/large");
  return { ...result, body: result.body.length };
})();
report.post = post("/echo", [bytes("one "), bytes("two")]);
report.length = post("/echo", [bytes("12345")], [["content-length", "5"]]);
report.tooShort = post("/echo", [bytes("1234")], [["content-length", "5"]]).done;
report.sentTrailers = post("/echo", [bytes("body")], [["trailer", "x-sum"]], [["x-sum", bytes("4")]]);
report.unannouncedTrailers = post("/echo", [bytes("body")], [], [["x-sum", bytes("4")]]);
report.much = (() => {
  var result = post("/echo", [new Uint8Array(300000).fill(97)]);
  return { ...result, body: result.body.length };
})();
report.cut = get("/cut");
report.reset = get("/reset");
report.nonsense = get("/nonsense");
report.badChunk = get("/bad-chunk");
var options = new RequestOptions();
options.setFirstByteTimeout(100000000);
report.slow = get("/slow", [], options);
var unset = new OutgoingRequest(new Fields());
report.unset = attempt(() => handle(unset, null)).err?.tag;
report.cancelled = (() => {
  var future = handle(request("get", "/slow"), null);
  var early = future.get();
  drop(future);
  return early;
})();
report;
