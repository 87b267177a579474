;; A component that hands its text to the Lua function relay:upper and gives back what that answers.
;;
;;   import wippy:runtime/funcs@0.1.0;
;;   export shout: func(text: string) -> result<string, string>;
;;
;; In C, Rust, Go or JavaScript a compiler writes all of this; example 04 has components in C and JavaScript.
(component
  (import "wippy:runtime/funcs@0.1.0" (instance $funcs
    (export "call-string"
      (func (param "target" string) (param "input" string) (result (result string (error string)))))))

  ;; The memory stands in a module of its own: the lowered import needs it before the code can be instantiated.
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (if (i32.gt_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))
        (then
          (if (i32.eq (i32.const -1)
                (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))))
            (then (unreachable)))))
      (local.get $at))
    ;; Everything that a call allocated is free again once its result has been read.
    (func (export "reset") (param i32) (global.set $next (i32.const 4096))))

  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "call-string"
      (func $call_string (param $target i32) (param $target_length i32) (param $input i32) (param $input_length i32)
        (param $result i32)))
    (data (i32.const 16) "relay:upper")

    ;; The host writes the result<string, string> of call-string at address 64, where shout's own result is read.
    (func (export "shout") (param $text i32) (param $length i32) (result i32)
      (call $call_string (i32.const 16) (i32.const 11) (local.get $text) (local.get $length) (i32.const 64))
      (i32.const 64)))

  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (alias core export $memory "reset" (core func $reset))
  (alias export $funcs "call-string" (func $call_string))
  (core func $call_string_lowered (canon lower (func $call_string) (memory $mem) (realloc $realloc)))
  (core instance $code (instantiate $code
    (with "host" (instance
      (export "memory" (memory $mem))
      (export "call-string" (func $call_string_lowered))))))

  (func (export "shout") (param "text" string) (result (result string (error string)))
    (canon lift (core func $code "shout") (memory $mem) (realloc $realloc) (post-return (core func $reset)))))
