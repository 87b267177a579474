;; record reading { sensor: string, celsius: f64 }
;; calibrate: func(readings: list<reading>, offset: f64) -> list<reading>
(component
  (core module $code
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (if (i32.gt_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))
        (then
          (if (i32.eq (i32.const -1)
                (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))))
            (then (unreachable)))))
      (local.get $at))
    (func (export "reset") (param i32) (global.set $next (i32.const 1024)))

    ;; A reading takes 16 bytes: address and length of the sensor's name, then the temperature. The list is changed in
    ;; place, and its address and length are left at address 16 as the result.
    (func (export "calibrate") (param $at i32) (param $count i32) (param $offset f64) (result i32)
      (i32.store (i32.const 16) (local.get $at))
      (i32.store (i32.const 20) (local.get $count))
      (block $done
        (loop $next_reading
          (br_if $done (i32.eqz (local.get $count)))
          (f64.store offset=8 (local.get $at) (f64.add (f64.load offset=8 (local.get $at)) (local.get $offset)))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next_reading)))
      (i32.const 16)))

  (core instance $instance (instantiate $code))
  (alias core export $instance "memory" (core memory $memory))
  (alias core export $instance "realloc" (core func $realloc))
  (alias core export $instance "reset" (core func $reset))
  ;; A record needs a name that the outside knows as well; a world's own types come in as an import of a type.
  (type $reading_type (record (field "sensor" string) (field "celsius" f64)))
  (import "reading" (type $reading (eq $reading_type)))
  (type $readings (list $reading))
  (func $calibrate (param "readings" $readings) (param "offset" f64) (result $readings)
    (canon lift (core func $instance "calibrate") (memory $memory) (realloc $realloc) (post-return (core func $reset))))
  (export "calibrate" (func $calibrate)))
