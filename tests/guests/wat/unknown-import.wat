;; A component that imports two interfaces which no host of ours offers: one
;; with a function, and one that only names a type. The second asks nothing of
;; a host; the first matters only when its function is called.
;;
;; World:
;;   import test:host/types@1.0.0;                   enum color { red, green }
;;   import test:host/x@1.0.0;                       measure: func(n: u32) -> u32
;;   export touched: func(n: u32) -> u32;            calls `measure`
;;   export untouched: func(n: u32) -> u32;          n + 1, calls nothing
(component
  (import "test:host/types@1.0.0" (instance $types
    (type $color (enum "red" "green"))
    (export "color" (type (eq $color)))))

  (import "test:host/x@1.0.0" (instance $x
    (export "measure" (func (param "n" u32) (result u32)))))

  (core func $measure (canon lower (func $x "measure")))

  (core module $code
    (import "x" "measure" (func $measure (param i32) (result i32)))

    (func (export "touched") (param $n i32) (result i32)
      (call $measure (local.get $n)))

    (func (export "untouched") (param $n i32) (result i32)
      (i32.add (local.get $n) (i32.const 1))))

  (core instance $code (instantiate $code
    (with "x" (instance (export "measure" (func $measure))))))

  (func (export "touched") (param "n" u32) (result u32)
    (canon lift (core func $code "touched")))
  (func (export "untouched") (param "n" u32) (result u32)
    (canon lift (core func $code "untouched"))))
