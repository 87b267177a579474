// wasi:sockets/tcp: a client and a server in one guest, over loopback.
var { tcpCreateSocket, instanceNetwork } = wasi.sockets;
var network = instanceNetwork.instanceNetwork();
var loopback = (family, port) =>
  family === "ipv4"
    ? { tag: "ipv4", val: { port, address: [127, 0, 0, 1] } }
    : { tag: "ipv6", val: { port, flowInfo: 0, address: [0, 0, 0, 0, 0, 0, 0, 1], scopeId: 0 } };
// A finish that is not done yet is asked again once the socket is ready. Who is faster makes no difference to what is called.
function finish(socket, step) {
  wait(socket);
  for (;;) {
    var result = attempt(step);
    if (result.err !== "would-block") return result;
    wait(socket);
  }
}
var portless = (address) => ({ tag: address.tag, port: address.val.port > 0, address: address.val.address });

function conversation(family) {
  var report = {};
  var server = tcpCreateSocket.createTcpSocket(family);
  report.fresh = [server.addressFamily(), server.isListening(), attempt(() => server.localAddress()), attempt(() => server.remoteAddress())];
  report.early = [attempt(() => server.startListen()), attempt(() => server.finishBind()), attempt(() => server.finishListen()), attempt(() => server.accept()), attempt(() => server.finishConnect()), attempt(() => server.shutdown("both"))];
  report.family = attempt(() => server.startBind(network, loopback(family === "ipv4" ? "ipv6" : "ipv4", 0)));
  report.bind = [attempt(() => server.startBind(network, loopback(family, 0))), attempt(() => server.localAddress()), attempt(() => server.startListen()), attempt(() => server.startConnect(network, loopback(family, 9))), finish(server, () => server.finishBind())];
  report.again = attempt(() => server.startBind(network, loopback(family, 0)));
  report.local = portless(server.localAddress());
  report.backlog = [attempt(() => server.setListenBacklogSize(0)), attempt(() => server.setListenBacklogSize(8))];
  report.listen = [attempt(() => server.startListen()), server.isListening(), attempt(() => server.startListen()), attempt(() => server.accept()), finish(server, () => server.finishListen()), server.isListening()];
  report.nobody = attempt(() => server.accept());
  var port = server.localAddress().val.port;

  var client = tcpCreateSocket.createTcpSocket(family);
  report.options = options(client);
  report.connect = [attempt(() => client.startConnect(network, loopback(family, port))), attempt(() => client.startConnect(network, loopback(family, port))), attempt(() => client.startListen())];
  var [clientIn, clientOut] = finish(client, () => client.finishConnect()).ok;
  var [peer, peerIn, peerOut] = finish(server, () => server.accept()).ok;
  report.remote = [client.remoteAddress().val.port === port, portless(peer.localAddress()), peer.remoteAddress().val.port === client.localAddress().val.port];
  report.inherited = [peer.hopLimit(), peer.keepAliveEnabled(), peer.isListening(), peer.addressFamily()];
  report.connected = [attempt(() => client.startConnect(network, loopback(family, port))), attempt(() => client.startListen())];

  clientOut.blockingWriteAndFlush(bytes("ping"));
  report.heard = text(peerIn.blockingRead(10));
  report.nothing = attempt(() => peerIn.read(10));
  peerOut.blockingWriteAndFlush(bytes("pong and more"));
  report.half = attempt(() => client.shutdown("send"));
  report.end = drain(peerIn);
  report.writeAfter = attempt(() => clientOut.blockingWriteAndFlush(bytes("x"))).err?.tag;
  drop(peerIn, peerOut);
  report.peerShutdown = attempt(() => peer.shutdown("both"));
  drop(peer);
  report.answer = drain(clientIn);
  report.shut = attempt(() => client.shutdown("receive"));
  drop(clientIn, clientOut, client, server);
  report.refused = refused(family, port);
  return report;
}

// Each option as it is read after it was set; what a buffer became is the system's to say.
function options(socket) {
  var second = 1000000000;
  return {
    alive: [socket.keepAliveEnabled(), attempt(() => socket.setKeepAliveEnabled(true)), socket.keepAliveEnabled()],
    idle: [attempt(() => socket.setKeepAliveIdleTime(0)), attempt(() => socket.setKeepAliveIdleTime(5 * second)), socket.keepAliveIdleTime()],
    interval: [attempt(() => socket.setKeepAliveInterval(0)), attempt(() => socket.setKeepAliveInterval(3 * second)), socket.keepAliveInterval()],
    count: [attempt(() => socket.setKeepAliveCount(0)), attempt(() => socket.setKeepAliveCount(4)), socket.keepAliveCount()],
    hops: [attempt(() => socket.setHopLimit(0)), attempt(() => socket.setHopLimit(42)), socket.hopLimit()],
    receive: [attempt(() => socket.setReceiveBufferSize(0)), attempt(() => socket.setReceiveBufferSize(65536)), socket.receiveBufferSize() >= 65536],
    send: [attempt(() => socket.setSendBufferSize(0)), attempt(() => socket.setSendBufferSize(65536)), socket.sendBufferSize() >= 65536],
  };
}

function refused(family, port) {
  var socket = tcpCreateSocket.createTcpSocket(family);
  var started = attempt(() => socket.startConnect(network, loopback(family, port)));
  var result = finish(socket, () => socket.finishConnect());
  drop(socket);
  return [started, result];
}

var unspecified = { tag: "ipv4", val: { port: 0, address: [0, 0, 0, 0] } };
var mapped = { tag: "ipv6", val: { port: 80, flowInfo: 0, address: [0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], scopeId: 0 } };
var bad = (family, address) => {
  var socket = tcpCreateSocket.createTcpSocket(family);
  return attempt(() => socket.startConnect(network, address));
};
({
  ipv4: conversation("ipv4"),
  ipv6: conversation("ipv6"),
  badRemotes: [
    bad("ipv4", unspecified),
    bad("ipv4", loopback("ipv4", 0)),
    bad("ipv4", loopback("ipv6", 80)),
    bad("ipv6", mapped),
    bad("ipv4", { tag: "ipv4", val: { port: 80, address: [224, 0, 0, 1] } }),
    bad("ipv4", { tag: "ipv4", val: { port: 80, address: [255, 255, 255, 255] } }),
  ],
  dropped: drop(network) ?? true,
});
