// wasi:sockets/ip-name-lookup: what names are, without a name server.
var { ipNameLookup, instanceNetwork } = wasi.sockets;
var network = instanceNetwork.instanceNetwork();
function resolve(name) {
  var stream = attempt(() => ipNameLookup.resolveAddresses(network, name));
  if (stream.err) return stream;
  var found = [];
  wait(stream.ok);
  for (;;) {
    var next = attempt(() => stream.ok.resolveNextAddress());
    if (next.err === "would-block") wait(stream.ok);
    else if (next.err) return next;
    else if (next.ok === null) break;
    else found.push(next.ok);
  }
  drop(stream.ok);
  return found;
}
({
  literals: ["127.0.0.1", "::1", "0.0.0.0", "10.1.2.3", "::ffff:127.0.0.1"].map(resolve),
  localhost: resolve("localhost").every((address) => address.tag === "ipv6" || address.val[0] === 127),
  bad: ["", "a b", "http://localhost", "localhost:80", "127.0.0.1:80", "[::1]"].map(resolve),
  dropped: drop(network) ?? true,
});
