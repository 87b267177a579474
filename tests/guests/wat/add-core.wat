;; A core module: one addition per numeric type. It has no imports, no memory
;; and no state.
;;
;; WIT:
;;   add: func(a: s32, b: s32) -> s32;
;;   add-s64: func(a: s64, b: s64) -> s64;
;;   add-f32: func(a: f32, b: f32) -> f32;
;;   add-f64: func(a: f64, b: f64) -> f64;
;;   is-less: func(a: s32, b: s32) -> bool;
;;   next: func(c: char) -> char;
;;
;; Core code has no signs: declared with u32 or u64, the same additions are
;; unsigned ones.
(module
  (func (export "add") (param $a i32) (param $b i32) (result i32)
    (i32.add (local.get $a) (local.get $b)))

  (func (export "add-s64") (param $a i64) (param $b i64) (result i64)
    (i64.add (local.get $a) (local.get $b)))

  (func (export "add-f32") (param $a f32) (param $b f32) (result f32)
    (f32.add (local.get $a) (local.get $b)))

  (func (export "add-f64") (param $a f64) (param $b f64) (result f64)
    (f64.add (local.get $a) (local.get $b)))

  (func (export "is-less") (param $a i32) (param $b i32) (result i32)
    (i32.lt_s (local.get $a) (local.get $b)))

  (func (export "next") (param $c i32) (result i32)
    (i32.add (local.get $c) (i32.const 1))))
