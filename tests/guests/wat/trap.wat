;; A component that fails in every way that WebAssembly code can fail on its
;; own, and one export that works. After any trap the instance is unusable.
;;
;; World:
;;   export ok: func(a: s32, b: s32) -> s32;         a + b
;;   export unreachable: func();                     runs `unreachable`
;;   export out-of-bounds: func() -> s32;            loads behind its one page of memory
;;   export divide: func(a: s32, b: s32) -> s32;     traps for b = 0, and for -2^31 / -1
;;   export spin: func();                            never returns, never allocates
;;   export deep: func() -> s32;                     recurses until the stack is used up
;;   export grow: func(pages: u32) -> s32;           grows its memory; -1 if refused
(component
  (core module $code
    (memory 1)

    (func (export "ok") (param $a i32) (param $b i32) (result i32)
      (i32.add (local.get $a) (local.get $b)))

    (func (export "unreachable")
      unreachable)

    (func (export "out-of-bounds") (result i32)
      ;; The last address that holds four bytes is 65532.
      (i32.load (i32.const 65533)))

    (func (export "divide") (param $a i32) (param $b i32) (result i32)
      (i32.div_s (local.get $a) (local.get $b)))

    (func (export "spin")
      (loop $again
        (br $again)))

    (func $deep (export "deep") (result i32)
      ;; The addition comes after the call, so no engine can turn it into a loop.
      (i32.add (call $deep) (i32.const 1)))

    (func (export "grow") (param $pages i32) (result i32)
      (memory.grow (local.get $pages))))

  (core instance $code (instantiate $code))

  (func (export "ok") (param "a" s32) (param "b" s32) (result s32)
    (canon lift (core func $code "ok")))
  (func (export "unreachable")
    (canon lift (core func $code "unreachable")))
  (func (export "out-of-bounds") (result s32)
    (canon lift (core func $code "out-of-bounds")))
  (func (export "divide") (param "a" s32) (param "b" s32) (result s32)
    (canon lift (core func $code "divide")))
  (func (export "spin")
    (canon lift (core func $code "spin")))
  (func (export "deep") (result s32)
    (canon lift (core func $code "deep")))
  (func (export "grow") (param "pages" u32) (result s32)
    (canon lift (core func $code "grow"))))
