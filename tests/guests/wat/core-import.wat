;; A core module that imports a function and a global which no host of ours
;; offers. A core module, unlike a component, cannot be instantiated without.
;;
;; WIT:
;;   tick-twice: func() -> u32;                      calls the import twice
;;   add: func(a: s32, b: s32) -> s32;               calls nothing
(module
  (import "env" "tick" (func $tick (result i32)))
  (import "env" "step" (global $step i32))

  (func (export "tick-twice") (result i32)
    (i32.mul (i32.add (call $tick) (call $tick)) (global.get $step)))

  (func (export "add") (param $a i32) (param $b i32) (result i32)
    (i32.add (local.get $a) (local.get $b))))
