;; A component that calls the entry bench:answer again and again.
(component
  (import "wippy:runtime/funcs@0.1.0" (instance $funcs
    (export "call-string"
      (func (param "target" string) (param "input" string) (result (result string (error string)))))))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "call-string" (func $call_string (param i32 i32 i32 i32 i32)))
    (data (i32.const 16) "bench:answer")
    (data (i32.const 32) "sixteen bytes...")
    (func (export "hops") (param $count i32)
      (loop $again
        (call $call_string (i32.const 16) (i32.const 12) (i32.const 32) (i32.const 16) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then unreachable))
        (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (alias export $funcs "call-string" (func $call_string))
  (core func $lowered (canon lower (func $call_string) (memory $mem) (realloc $realloc)))
  (core instance $code (instantiate $code
    (with "host" (instance (export "memory" (memory $mem)) (export "call-string" (func $lowered))))))
  (func (export "hops") (param "count" u32) (canon lift (core func $code "hops"))))
