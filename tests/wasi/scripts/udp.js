// wasi:sockets/udp: two sockets of one guest, over loopback.
var { udpCreateSocket, instanceNetwork } = wasi.sockets;
var network = instanceNetwork.instanceNetwork();
var loopback = (family, port) =>
  family === "ipv4"
    ? { tag: "ipv4", val: { port, address: [127, 0, 0, 1] } }
    : { tag: "ipv6", val: { port, flowInfo: 0, address: [0, 0, 0, 0, 0, 0, 0, 1], scopeId: 0 } };

function conversation(family) {
  var report = {};
  var server = udpCreateSocket.createUdpSocket(family);
  report.fresh = [server.addressFamily(), attempt(() => server.localAddress()), attempt(() => server.remoteAddress()), attempt(() => server.finishBind()), attempt(() => server.stream(null))];
  report.family = attempt(() => server.startBind(network, loopback(family === "ipv4" ? "ipv6" : "ipv4", 0)));
  report.bind = [attempt(() => server.startBind(network, loopback(family, 0))), attempt(() => server.localAddress()), attempt(() => server.stream(null)), attempt(() => server.startBind(network, loopback(family, 0))), attempt(() => server.finishBind()), attempt(() => server.startBind(network, loopback(family, 0)))];
  wait(server);
  var [serverIn, serverOut] = server.stream(null);
  var address = server.localAddress();
  report.options = {
    hops: [attempt(() => server.setUnicastHopLimit(0)), attempt(() => server.setUnicastHopLimit(42)), server.unicastHopLimit()],
    receive: [attempt(() => server.setReceiveBufferSize(0)), attempt(() => server.setReceiveBufferSize(65536)), server.receiveBufferSize() >= 65536],
    send: [attempt(() => server.setSendBufferSize(0)), attempt(() => server.setSendBufferSize(65536)), server.sendBufferSize() >= 65536],
  };

  var client = udpCreateSocket.createUdpSocket(family);
  client.startBind(network, loopback(family, 0));
  client.finishBind();
  var [clientIn, clientOut] = client.stream(address);
  report.remote = client.remoteAddress().val.port === address.val.port;
  report.nothing = attempt(() => clientIn.receive(10));
  wait(clientOut);
  report.permit = clientOut.checkSend() > 0;
  report.sent = [attempt(() => clientOut.send([{ data: bytes("one"), remoteAddress: null }, { data: bytes("two"), remoteAddress: address }])), attempt(() => clientOut.send([]))];
  report.received = [];
  while (report.received.length < 2) {
    wait(serverIn);
    for (var datagram of serverIn.receive(10)) report.received.push([text(datagram.data), datagram.remoteAddress.val.port === client.localAddress().val.port]);
  }
  report.most = serverIn.receive(0);
  wait(serverOut);
  serverOut.checkSend();
  report.unaddressed = attempt(() => serverOut.send([{ data: bytes("lost"), remoteAddress: null }]));
  wait(serverOut);
  serverOut.checkSend();
  report.answered = attempt(() => serverOut.send([{ data: bytes("answer"), remoteAddress: client.localAddress() }]));
  wait(clientIn);
  report.answer = clientIn.receive(1).map((datagram) => text(datagram.data));
  wait(clientOut);
  clientOut.checkSend();
  report.elsewhere = attempt(() => clientOut.send([{ data: bytes("x"), remoteAddress: loopback(family, 9) }]));
  wait(clientOut);
  clientOut.checkSend();
  report.large = attempt(() => clientOut.send([{ data: new Uint8Array(70000), remoteAddress: null }]));
  drop(clientIn, clientOut);
  var streams = client.stream(null);
  report.disconnected = attempt(() => client.remoteAddress());
  drop(...streams, client, serverIn, serverOut, server);
  return report;
}
({ ipv4: conversation("ipv4"), ipv6: conversation("ipv6"), dropped: drop(network) ?? true });
