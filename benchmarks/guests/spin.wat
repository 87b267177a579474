;; A tight loop: as many rounds as asked for. The multiplication keeps a compiler from computing it away.
(module
  (func (export "spin") (param $rounds i32) (result i32)
    (local $value i32)
    (loop $again
      (local.set $value (i32.add (i32.mul (local.get $value) (i32.const 31)) (local.get $rounds)))
      (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $value)))
