;; A component that imports one function of WASI 0.2, from the group
;; `wasi:random`.
;;
;; World:
;;   import wasi:random/random@0.2.0;                get-random-u64: func() -> u64
;;   export roll: func() -> u64;                     calls it
;;   export fixed: func() -> u64;                    4, calls nothing
(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-u64" (func (result u64)))))

  (core func $random-u64 (canon lower (func $random "get-random-u64")))

  (core module $code
    (import "random" "u64" (func $random-u64 (result i64)))

    (func (export "roll") (result i64)
      (call $random-u64))

    (func (export "fixed") (result i64)
      (i64.const 4)))

  (core instance $code (instantiate $code
    (with "random" (instance (export "u64" (func $random-u64))))))

  (func (export "roll") (result u64)
    (canon lift (core func $code "roll")))
  (func (export "fixed") (result u64)
    (canon lift (core func $code "fixed"))))
