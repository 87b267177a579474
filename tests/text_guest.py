"""A component with functions of text: what the command line makes of plain arguments, and of an err."""

from __future__ import annotations

__all__ = ["TEXT_GUEST"]

TEXT_GUEST = """
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1)) (i32.const 0))
    (func (export "given") (param i32 i32 i32) (result i32) (local.get 0))
    (func (export "check") (param i32 i32) (result i32)
      (i32.store8 (i32.const 0) (i32.ne (local.get 1) (i32.const 0)))
      (i32.store (i32.const 4) (local.get 0)) (i32.store (i32.const 8) (local.get 1)) (i32.const 0)))
  (core instance $made (instantiate $code))
  (alias core export $made "memory" (core memory $memory))
  (alias core export $made "realloc" (core func $realloc))
  (func (export "echo") (param "text" string) (result string)
    (canon lift (core func $made "echo") (memory $memory) (realloc $realloc)))
  (func (export "given") (param "text" (option string)) (result bool)
    (canon lift (core func $made "given") (memory $memory) (realloc $realloc)))
  (func (export "check") (param "text" string) (result (result (error string)))
    (canon lift (core func $made "check") (memory $memory) (realloc $realloc))))
"""
