// wasi:clocks, and wasi:io/poll over their pollables.
var { monotonicClock, wallClock } = wasi.clocks;
var millisecond = 1000000;
var start = monotonicClock.now();
var slept = monotonicClock.subscribeDuration(20 * millisecond);
var early = slept.ready();
slept.block();
var passed = monotonicClock.now() - start;
var past = monotonicClock.subscribeInstant(start);
var future = monotonicClock.subscribeInstant(start + 3600 * 1000 * millisecond);
var soon = monotonicClock.subscribeDuration(10 * millisecond);
var now = wallClock.now();
({
  early,
  passed: passed >= 20 * millisecond,
  ready: [slept.ready(), future.ready(), past.block() ?? true],
  poll: [...wasi.io.poll.poll([future, past, slept, past])].sort(),
  waited: [...wasi.io.poll.poll([future, soon])],
  resolutions: [monotonicClock.resolution() > 0, wallClock.resolution()],
  wall: [now.seconds > 1.7e9, now.nanoseconds < 1e9],
  drop: drop(past, future, soon, slept) ?? "dropped",
});
