;; with-tax(cents): with 23 % of tax, rounded down.
(module
  (func (export "with-tax") (param i32) (result i32)
    (i32.div_s (i32.mul (local.get 0) (i32.const 123)) (i32.const 100))))
