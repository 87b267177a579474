;; A core module that follows the canonical ABI for strings and lists: the host
;; writes them to blocks from `cabi_realloc` and passes address and length; a
;; result of more than one core value comes back as the address of an area that
;; holds it; `cabi_post_<name>`, called with that address when the host has read
;; the result, releases all memory of the call.
;;
;; WIT:
;;   greet: func(name: string) -> string;            "Hello, " + name + "!"
;;   upper: func(text: string) -> string;            a-z to A-Z, other bytes as they are
;;   reverse: func(data: list<u8>) -> list<u8>;
;;   sum: func(xs: list<u32>) -> u64;
;;   first: func(xs: list<u32>) -> option<u32>;
;;
;; The two exported functions `used: func() -> u32` and `pages: func() -> u32`
;; tell how many bytes are allocated now, and how many pages the memory has.
(module
  (memory (export "memory") 1)

  ;; Static data: seven bytes of greeting, at 8 a result area of eight bytes.
  (data (i32.const 0) "Hello, ")
  (global $area i32 (i32.const 8))
  (global $heap i32 (i32.const 16))
  (global $top (mut i32) (i32.const 16))

  ;; A bump allocator; it grows the memory as needed and traps if it cannot.
  (func $realloc (export "cabi_realloc")
    (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $start i32) (local $end i32) (local $missing i32)
    ;; start = (top + align - 1) & -align
    (local.set $start
      (i32.and
        (i32.sub (i32.add (global.get $top) (local.get $align)) (i32.const 1))
        (i32.sub (i32.const 0) (local.get $align))))
    (local.set $end (i32.add (local.get $start) (local.get $size)))
    (if (i32.lt_u (local.get $end) (local.get $start)) (then unreachable))
    ;; missing = pages up to end, rounded up, - pages there are
    (local.set $missing
      (i32.sub
        (i32.add (i32.shr_u (i32.sub (local.get $end) (i32.const 1)) (i32.const 16)) (i32.const 1))
        (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then unreachable))))
    (global.set $top (local.get $end))
    (memory.copy (local.get $start) (local.get $old)
      (select (local.get $old-size) (local.get $size) (i32.lt_u (local.get $old-size) (local.get $size))))
    (local.get $start))

  (func $release
    (global.set $top (global.get $heap)))

  ;; Stores address and length in the result area and returns its address.
  (func $answer (param $data i32) (param $size i32) (result i32)
    (i32.store (global.get $area) (local.get $data))
    (i32.store offset=4 (global.get $area) (local.get $size))
    (global.get $area))

  (func $allocate (param $size i32) (result i32)
    (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $size)))

  (func (export "greet") (param $name i32) (param $size i32) (result i32)
    (local $text i32)
    (local.set $text (call $allocate (i32.add (local.get $size) (i32.const 8))))
    (memory.copy (local.get $text) (i32.const 0) (i32.const 7))
    (memory.copy (i32.add (local.get $text) (i32.const 7)) (local.get $name) (local.get $size))
    (i32.store8 offset=7 (i32.add (local.get $text) (local.get $size)) (i32.const 33)) ;; "!"
    (call $answer (local.get $text) (i32.add (local.get $size) (i32.const 8))))
  (func (export "cabi_post_greet") (param i32) (call $release))

  ;; In place: the argument's block belongs to the guest.
  (func (export "upper") (param $text i32) (param $size i32) (result i32)
    (local $at i32) (local $byte i32)
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $size)))
        (local.set $byte (i32.load8_u (i32.add (local.get $text) (local.get $at))))
        ;; 97 to 122: a to z
        (if (i32.lt_u (i32.sub (local.get $byte) (i32.const 97)) (i32.const 26))
          (then
            (i32.store8 (i32.add (local.get $text) (local.get $at)) (i32.sub (local.get $byte) (i32.const 32)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (call $answer (local.get $text) (local.get $size)))
  (func (export "cabi_post_upper") (param i32) (call $release))

  (func (export "reverse") (param $data i32) (param $size i32) (result i32)
    (local $reversed i32) (local $at i32)
    (local.set $reversed (call $allocate (local.get $size)))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $size)))
        (i32.store8
          (i32.sub (i32.sub (i32.add (local.get $reversed) (local.get $size)) (local.get $at)) (i32.const 1))
          (i32.load8_u (i32.add (local.get $data) (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (call $answer (local.get $reversed) (local.get $size)))
  (func (export "cabi_post_reverse") (param i32) (call $release))

  ;; One core value: no result area, and still a post-return to free the list.
  (func (export "sum") (param $xs i32) (param $count i32) (result i64)
    (local $sum i64)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $sum (i64.add (local.get $sum) (i64.load32_u (local.get $xs))))
        (local.set $xs (i32.add (local.get $xs) (i32.const 4)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (local.get $sum))
  (func (export "cabi_post_sum") (param i64) (call $release))

  ;; option<u32>: a byte that says whether there is one, then the value at offset 4.
  (func (export "first") (param $xs i32) (param $count i32) (result i32)
    (i64.store (global.get $area) (i64.const 0))
    (if (local.get $count)
      (then
        (i32.store8 (global.get $area) (i32.const 1))
        (i32.store offset=4 (global.get $area) (i32.load (local.get $xs)))))
    (global.get $area))
  (func (export "cabi_post_first") (param i32) (call $release))

  (func (export "used") (result i32)
    (i32.sub (global.get $top) (global.get $heap)))

  (func (export "pages") (result i32)
    (memory.size)))
