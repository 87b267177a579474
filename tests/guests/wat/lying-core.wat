;; A core module that breaks every promise of the canonical ABI that a host
;; might rely on. Each call must end in an error of the host: never in a wrong
;; value, never in a read or write outside of the guest's memory, never in a
;; huge allocation on the host's side. Its memory is one page, 65536 bytes.
;;
;; WIT, the allocator lies:
;;   take-string: func(text: string) -> u32;
;;   take-bytes: func(data: list<u8>) -> u32;
;;   take-words: func(xs: list<u64>) -> u32;
;; The number of bytes that the host asks for chooses the lie:
;;   1: the address right behind the memory
;;   2: the last byte of the memory, so that the block straddles its end
;;   3: 0xffffffff, -1 for a host that reads it as signed
;;   4: 0x80000000, the smallest negative number for such a host
;;   5: a trap
;;   8: address 1025, misaligned for a list<u64> of one element
;;   any other number: address 1024, which is honest up to 64512 bytes
;; The three functions return the length that they were given.
;;
;; WIT, the result lies; the area is at a valid address unless said otherwise:
;;   string-behind-end: func() -> string;            address 65536, 1 byte
;;   string-across-end: func() -> string;            address 65530, 100 bytes
;;   string-huge: func() -> string;                  address 0, 0xffffffff bytes
;;   string-wrapping: func() -> string;              address 0xfffffff0, 0x20 bytes: the sum wraps to 16
;;   string-not-utf8: func() -> string;              the bytes 66 6f 80 6f
;;   string-surrogate: func() -> string;             the bytes ed a0 80, U+D800
;;   string-overlong: func() -> string;              the bytes c0 af, an overlong "/"
;;   string-ok: func() -> string;                    "fine", as a control
;;   area-behind-end: func() -> string;              the area itself is at 65536
;;   area-across-end: func() -> string;              the area itself is at 65532
;;   area-negative: func() -> string;                the area itself is at 0xfffffff8
;;   area-misaligned: func() -> string;              the area itself is at 2049
;;   list-huge: func() -> list<u32>;                 0x40000000 elements: the byte count wraps to 0
;;   list-misaligned: func() -> list<u32>;           address 2049, 1 element
;;   list-empty-behind-end: func() -> list<u8>;      address 65537, 0 elements
;;   option-bad: func() -> option<u32>;              discriminant 2
;;   result-bad: func() -> result<u32, u32>;         discriminant 255
;;   bare-result-bad: func() -> result;              discriminant 7 (a core value, no area)
;;   char-bad: func() -> char;                       0xd800, a surrogate
;;   char-large: func() -> char;                     0x110000, beyond Unicode
;; These lie as well, but the canonical ABI says how to read them:
;;   bool-2: func() -> bool;                         2, which is true
;;   u8-large: func() -> u8;                         0x1ff, which is 255
(module
  (memory (export "memory") 1 1)

  ;; Texts at 256, result areas from 2048 on; addresses from 1024 on are for arguments.
  (data (i32.const 256) "fo\80o")
  (data (i32.const 260) "\ed\a0\80")
  (data (i32.const 263) "\c0\af")
  (data (i32.const 265) "fine")

  (func (export "cabi_realloc")
    (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (if (i32.eq (local.get $size) (i32.const 1)) (then (return (i32.const 65536))))
    (if (i32.eq (local.get $size) (i32.const 2)) (then (return (i32.const 65535))))
    (if (i32.eq (local.get $size) (i32.const 3)) (then (return (i32.const -1))))
    (if (i32.eq (local.get $size) (i32.const 4)) (then (return (i32.const 0x80000000))))
    (if (i32.eq (local.get $size) (i32.const 5)) (then unreachable))
    (if (i32.eq (local.get $size) (i32.const 8)) (then (return (i32.const 1025))))
    (i32.const 1024))

  (func $length (export "take-string") (export "take-bytes") (export "take-words")
    (param $data i32) (param $length i32) (result i32)
    (local.get $length))

  ;; Writes address and length to the area at 2048 and returns its address.
  (func $answer (param $data i32) (param $size i32) (result i32)
    (i32.store (i32.const 2048) (local.get $data))
    (i32.store (i32.const 2052) (local.get $size))
    (i32.const 2048))

  (func (export "string-behind-end") (result i32) (call $answer (i32.const 65536) (i32.const 1)))
  (func (export "string-across-end") (result i32) (call $answer (i32.const 65530) (i32.const 100)))
  (func (export "string-huge") (result i32) (call $answer (i32.const 0) (i32.const 0xffffffff)))
  (func (export "string-wrapping") (result i32) (call $answer (i32.const 0xfffffff0) (i32.const 0x20)))
  (func (export "string-not-utf8") (result i32) (call $answer (i32.const 256) (i32.const 4)))
  (func (export "string-surrogate") (result i32) (call $answer (i32.const 260) (i32.const 3)))
  (func (export "string-overlong") (result i32) (call $answer (i32.const 263) (i32.const 2)))
  (func (export "string-ok") (result i32) (call $answer (i32.const 265) (i32.const 4)))

  (func (export "area-behind-end") (result i32) (i32.const 65536))
  (func (export "area-across-end") (result i32) (i32.const 65532))
  (func (export "area-negative") (result i32) (i32.const 0xfffffff8))
  (func (export "area-misaligned") (result i32)
    ;; A host that does not look at the alignment reads "fine" from here.
    (i32.store (i32.const 2049) (i32.const 265))
    (i32.store (i32.const 2053) (i32.const 4))
    (i32.const 2049))

  (func (export "list-huge") (result i32) (call $answer (i32.const 0) (i32.const 0x40000000)))
  (func (export "list-misaligned") (result i32) (call $answer (i32.const 2049) (i32.const 1)))
  (func (export "list-empty-behind-end") (result i32) (call $answer (i32.const 65537) (i32.const 0)))

  ;; The discriminant is the first byte of the area, which $answer writes as part of the address.
  (func (export "option-bad") (result i32) (call $answer (i32.const 2) (i32.const 42)))
  (func (export "result-bad") (result i32) (call $answer (i32.const 255) (i32.const 42)))
  (func (export "bare-result-bad") (result i32) (i32.const 7))

  (func (export "char-bad") (result i32) (i32.const 0xd800))
  (func (export "char-large") (result i32) (i32.const 0x110000))

  (func (export "bool-2") (result i32) (i32.const 2))
  (func (export "u8-large") (result i32) (i32.const 0x1ff)))
