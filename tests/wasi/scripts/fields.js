// wasi:http/types: fields and what is put together before anything is sent.
var { Fields, OutgoingRequest, OutgoingResponse, OutgoingBody, RequestOptions } = wasi.http.types;
var values = (list) => list.map(text);
var all = (fields) => fields.entries().map(([name, value]) => `${name}: ${text(value)}`);
var report = {};
var fields = new Fields();
report.set = [attempt(() => fields.set("X-One", [bytes("1"), bytes("2")])), attempt(() => fields.append("x-one", bytes("3"))), attempt(() => fields.append("Y", bytes("")))];
report.get = [values(fields.get("x-ONE")), values(fields.get("none")), fields.has("X-one"), fields.has("none")];
report.clone = all(fields.clone());
report.deleted = [attempt(() => fields.delete("x-one")), attempt(() => fields.delete("none")), all(fields)];
report.replaced = [attempt(() => fields.set("y", [])), fields.has("y")];
report.syntax = ["", "a b", "a:b", "ä", "a\n"].map((name) => attempt(() => fields.append(name, bytes("x"))));
report.badNames = [fields.has("a b"), values(fields.get("a b")), attempt(() => fields.delete("a b"))];
report.values = ["a\nb", "a\rb", "a\0b", " padded ", "\x7f", "t\tab", "\xe9"].map((value) => attempt(() => fields.append("v", bytes(value))));
report.forbidden = ["Connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host", "http2-settings", "proxy-authenticate", "proxy-authorization", "te", "content-length", "expect"].map((name) => [
  name,
  attempt(() => fields.append(name, bytes("x"))),
  fields.has(name),
]);
report.list = attempt(() => all(Fields.fromList([["a", bytes("1")], ["B", bytes("2")], ["a", bytes("3")]])));
report.badList = [attempt(() => Fields.fromList([["a b", bytes("1")]])), attempt(() => Fields.fromList([["host", bytes("1")]])), attempt(() => Fields.fromList([["a", bytes("\n")]]))];

var request = new OutgoingRequest(Fields.fromList([["x-kept", bytes("yes")]]));
report.fresh = [request.method(), request.pathWithQuery(), request.scheme(), request.authority()];
report.immutable = [all(request.headers()), attempt(() => request.headers().append("x", bytes("y"))), attempt(() => request.headers().set("x", [])), attempt(() => request.headers().delete("x-kept"))];
report.methods = [{ tag: "post" }, { tag: "other", val: "PURGE" }, { tag: "other", val: "get" }, { tag: "other", val: "a b" }, { tag: "other", val: "" }].map((method) => [attempt(() => request.setMethod(method)), request.method()]);
report.paths = ["/a?b=c", "", "no-slash", "/a b", "/\n", "*", null].map((path) => [attempt(() => request.setPathWithQuery(path)), request.pathWithQuery()]);
report.schemes = [{ tag: "HTTP" }, { tag: "HTTPS" }, { tag: "other", val: "ws" }, { tag: "other", val: "a b" }, null].map((scheme) => [attempt(() => request.setScheme(scheme)), request.scheme()]);
report.authorities = ["example.com", "example.com:80", "[::1]:80", "a b", "user@host", "", "host:port", null].map((authority) => [attempt(() => request.setAuthority(authority)), request.authority()]);
var body = request.body();
report.bodyTwice = attempt(() => request.body());
var stream = body.write();
report.writeTwice = attempt(() => body.write());
drop(stream, body, request);

var options = new RequestOptions();
report.options = [options.connectTimeout(), options.firstByteTimeout(), options.betweenBytesTimeout()];
report.setOptions = [attempt(() => options.setConnectTimeout(1000000)), attempt(() => options.setFirstByteTimeout(2000000)), attempt(() => options.setBetweenBytesTimeout(3000000))];
report.asSet = [options.connectTimeout(), options.firstByteTimeout(), options.betweenBytesTimeout()];
report.unset = [attempt(() => options.setConnectTimeout(null)), options.connectTimeout()];
drop(options);

var response = new OutgoingResponse(Fields.fromList([["x-answer", bytes("yes")]]));
report.status = [response.statusCode(), attempt(() => response.setStatusCode(404)), response.statusCode(), attempt(() => response.setStatusCode(99)), attempt(() => response.setStatusCode(1000)), response.statusCode()];
report.responseHeaders = all(response.headers());
var responseBody = response.body();
report.responseBodyTwice = attempt(() => response.body());
drop(responseBody, response);
report;
