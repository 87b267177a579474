;; A component that exports   count-vowels: func(text: string) -> u32
;; Real components come out of a compiler; this one is written by hand so that it can be read and changed without one.
(component
  (core module $code
    (memory (export "memory") 1)

    ;; The host asks for room for the text. A bump allocator that starts over with each call is enough here.
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $next))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      ;; Grow the memory when the text does not fit into the pages there are.
      (if (i32.gt_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))
        (then
          (if (i32.eq (i32.const -1)
                (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))))
            (then (unreachable)))))
      (local.get $at))

    (func $is_vowel (param $byte i32) (result i32)
      (local.set $byte (i32.or (local.get $byte) (i32.const 0x20))) ;; to lower case
      (i32.or (i32.eq (local.get $byte) (i32.const 97))             ;; a
        (i32.or (i32.eq (local.get $byte) (i32.const 101))          ;; e
          (i32.or (i32.eq (local.get $byte) (i32.const 105))        ;; i
            (i32.or (i32.eq (local.get $byte) (i32.const 111))      ;; o
              (i32.eq (local.get $byte) (i32.const 117)))))))       ;; u

    (func (export "count-vowels") (param $text i32) (param $length i32) (result i32)
      (local $end i32)
      (local $count i32)
      (local.set $end (i32.add (local.get $text) (local.get $length)))
      (block $done
        (loop $next_byte
          (br_if $done (i32.ge_u (local.get $text) (local.get $end)))
          (local.set $count
            (i32.add (local.get $count) (call $is_vowel (i32.load8_u (local.get $text)))))
          (local.set $text (i32.add (local.get $text) (i32.const 1)))
          (br $next_byte)))
      (global.set $next (i32.const 1024))
      (local.get $count)))

  (core instance $instance (instantiate $code))
  (alias core export $instance "memory" (core memory $memory))
  (alias core export $instance "realloc" (core func $realloc))
  (func (export "count-vowels") (param "text" string) (result u32)
    (canon lift (core func $instance "count-vowels") (memory $memory) (realloc $realloc))))
