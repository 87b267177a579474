;; A component that gives back the text, the bytes or the list it was given, without looking at it.
;;
;; All of them arrive and leave as an address and a length, so one core function serves them. What a call allocated is
;; overwritten by the next one: its result has been read by then.
(component
  (core module $guest
    (memory (export "memory") 40)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "echo") (param $at i32) (param $length i32) (result i32)
      (global.set $free (i32.const 1024))
      (i32.store (i32.const 16) (local.get $at))
      (i32.store (i32.const 20) (local.get $length))
      (i32.const 16)))
  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "realloc" (core func $realloc))
  (type $defined (record (field "name" string) (field "value" s32)))
  (export $row "row" (type $defined))
  (func (export "echo-text") (param "text" string) (result string)
    (canon lift (core func $guest "echo") (memory $memory) (realloc $realloc)))
  (func (export "echo-bytes") (param "bytes" (list u8)) (result (list u8))
    (canon lift (core func $guest "echo") (memory $memory) (realloc $realloc)))
  (func (export "echo-numbers") (param "numbers" (list s32)) (result (list s32))
    (canon lift (core func $guest "echo") (memory $memory) (realloc $realloc)))
  (func (export "echo-rows") (param "rows" (list $row)) (result (list $row))
    (canon lift (core func $guest "echo") (memory $memory) (realloc $realloc))))
