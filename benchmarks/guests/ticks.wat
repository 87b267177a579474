;; ticks(n): asks the clock n times.
(component
  (import "wasi:clocks/monotonic-clock@0.2.3" (instance $clock (export "now" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core module $code
    (import "clock" "now" (func $now (result i64)))
    (func (export "ticks") (param i32)
      (loop $again
        (drop (call $now))
        (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))
  (core instance $i (instantiate $code (with "clock" (instance (export "now" (func $now))))))
  (func (export "ticks") (param "times" u32) (canon lift (core func $i "ticks"))))
