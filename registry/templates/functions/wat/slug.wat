;; A component that exports   slug: func(title: string) -> string
;; Real components come out of a compiler; this one is written by hand so that it can be read and changed without one.
(component
  (core module $code
    (memory (export "memory") 1)

    ;; The host asks for room for the title. A bump allocator that starts over with each call is enough here.
    (global $next (mut i32) (i32.const 1024))
    (func $allocate (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
      (result i32)
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

    (func $between (param $byte i32) (param $first i32) (param $last i32) (result i32)
      (i32.le_u (i32.sub (local.get $byte) (local.get $first)) (i32.sub (local.get $last) (local.get $first))))

    ;; The result is written over the title, which is never shorter: its address and length are at 0 and 4.
    (func (export "slug") (param $title i32) (param $length i32) (result i32)
      (local $read i32)
      (local $written i32)
      (local $gap i32)
      (local $byte i32)
      (block $done
        (loop $next_byte
          (br_if $done (i32.ge_u (local.get $read) (local.get $length)))
          (local.set $byte (i32.load8_u (i32.add (local.get $title) (local.get $read))))
          (local.set $read (i32.add (local.get $read) (i32.const 1)))
          (if (call $between (local.get $byte) (i32.const 65) (i32.const 90)) ;; A to Z
            (then (local.set $byte (i32.add (local.get $byte) (i32.const 32)))))
          (if (i32.or (call $between (local.get $byte) (i32.const 97) (i32.const 122)) ;; a to z
                      (call $between (local.get $byte) (i32.const 48) (i32.const 57))) ;; 0 to 9
            (then
              (if (i32.and (local.get $gap) (i32.ne (local.get $written) (i32.const 0)))
                (then
                  (i32.store8 (i32.add (local.get $title) (local.get $written)) (i32.const 45)) ;; -
                  (local.set $written (i32.add (local.get $written) (i32.const 1)))))
              (i32.store8 (i32.add (local.get $title) (local.get $written)) (local.get $byte))
              (local.set $written (i32.add (local.get $written) (i32.const 1)))
              (local.set $gap (i32.const 0)))
            (else (local.set $gap (i32.const 1))))
          (br $next_byte)))
      (global.set $next (i32.const 1024))
      (i32.store (i32.const 0) (local.get $title))
      (i32.store (i32.const 4) (local.get $written))
      (i32.const 0)))

  (core instance $instance (instantiate $code))
  (alias core export $instance "memory" (core memory $memory))
  (alias core export $instance "realloc" (core func $realloc))
  (func (export "slug") (param "title" string) (result string)
    (canon lift (core func $instance "slug") (memory $memory) (realloc $realloc))))
