;; A component that hands its text to the entry bench:bounce and gives back what that answers.
(component
  (import "wippy:runtime/funcs@0.1.0" (instance $funcs
    (export "call-string"
      (func (param "target" string) (param "input" string) (result (result string (error string)))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "reset") (param i32) (global.set $free (i32.const 1024))))
  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "call-string" (func $call_string (param i32 i32 i32 i32 i32)))
    (data (i32.const 16) "bench:bounce")
    (func (export "relay") (param $text i32) (param $length i32) (result i32)
      (call $call_string (i32.const 16) (i32.const 12) (local.get $text) (local.get $length) (i32.const 64))
      (i32.const 64)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (alias core export $memory "reset" (core func $reset))
  (alias export $funcs "call-string" (func $call_string))
  (core func $lowered (canon lower (func $call_string) (memory $mem) (realloc $realloc)))
  (core instance $code (instantiate $code
    (with "host" (instance (export "memory" (memory $mem)) (export "call-string" (func $lowered))))))
  (func (export "relay") (param "text" string) (result (result string (error string)))
    (canon lift (core func $code "relay") (memory $mem) (realloc $realloc) (post-return (core func $reset)))))
