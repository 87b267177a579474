;; nap(milliseconds): sleeps, by a pollable of wasi:clocks that wasi:io waits for.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer)) (export "pollable" (type $pollable (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))

  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core module $code
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (func (export "nap") (param i64)
      (call $block (call $subscribe (i64.mul (local.get 0) (i64.const 1000000))))))
  (core instance $made (instantiate $code (with "host" (instance
    (export "subscribe" (func $subscribe)) (export "block" (func $block))))))

  (func (export "nap") (param "milliseconds" u64) (canon lift (core func $made "nap"))))
