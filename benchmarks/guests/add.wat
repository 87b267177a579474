;; add: func(a: s32, b: s32) -> s32, as a component: the cheapest call there is.
(component
  (core module $guest
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $guest (instantiate $guest))
  (func (export "add") (param "a" s32) (param "b" s32) (result s32)
    (canon lift (core func $guest "add"))))
