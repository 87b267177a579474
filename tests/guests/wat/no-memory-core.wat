;; A core module whose functions have the core types of functions over strings
;; and lists, but which exports neither a memory nor an allocator: a WIT text
;; that declares them so cannot be honoured. `twice` needs neither and works.
;;
;; WIT:
;;   length: func(text: string) -> u32;              needs memory and allocator for its argument
;;   name: func() -> string;                         needs memory for its result
;;   twice: func(n: u32) -> u32;
(module
  (func (export "length") (param $data i32) (param $size i32) (result i32)
    (local.get $size))

  (func (export "name") (result i32)
    (i32.const 0))

  (func (export "twice") (param $n i32) (result i32)
    (i32.shl (local.get $n) (i32.const 1))))
