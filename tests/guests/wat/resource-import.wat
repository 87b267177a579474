;; A component that imports resource types: the part of WASI 0.2 that it takes
;; to write a text to standard output. A host needs both groups, `wasi:io` and
;; `wasi:cli`, to offer what it calls.
;;
;; World:
;;   import wasi:io/error@0.2.0;                     resource error
;;   import wasi:io/streams@0.2.0;                   resource output-stream, with
;;                                                   blocking-write-and-flush
;;   import wasi:cli/stdout@0.2.0;                   get-stdout: func() -> output-stream
;;   export print: func(text: string) -> result;     writes up to 4096 bytes of UTF-8
;;   export open-and-close: func();                  takes the stream and drops it
;;   export untouched: func() -> u32;                7, calls nothing
(component
  (import "wasi:io/error@0.2.0" (instance $error
    (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error-resource))

  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error-resource (type $outer-error))
    (export "error" (type $error (eq $outer-error)))
    (export "output-stream" (type $output-stream (sub resource)))
    (type $stream-error' (variant
      (case "last-operation-failed" (own $error))
      (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output-stream))
      (param "contents" (list u8))
      (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))

  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $outer-stream))
    (export "output-stream" (type $stream (eq $outer-stream)))
    (export "get-stdout" (func (result (own $stream))))))

  ;; The memory comes first: lowering a function that takes a list needs it.
  (core module $memory
    (memory (export "memory") 1)

    ;; One argument per call, and no host result that needs memory: every block
    ;; may start behind the result area of `print`.
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (if (i32.gt_u (local.get $size) (i32.const 65520)) (then unreachable))
      (i32.const 16)))
  (core instance $memory (instantiate $memory))

  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $memory "memory"))))
  (core func $drop (canon resource.drop $output-stream))

  (core module $code
    (import "memory" "memory" (memory 1))
    (import "host" "get-stdout" (func $get-stdout (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "drop" (func $drop (param i32)))

    (func (export "print") (param $data i32) (param $size i32) (result i32)
      (local $stream i32)
      (local.set $stream (call $get-stdout))
      ;; result<_, stream-error> comes back at address 0; its first byte is 1 for an error.
      (call $write (local.get $stream) (local.get $data) (local.get $size) (i32.const 0))
      (call $drop (local.get $stream))
      (i32.load8_u (i32.const 0)))

    (func (export "open-and-close")
      (call $drop (call $get-stdout)))

    (func (export "untouched") (result i32)
      (i32.const 7)))

  (core instance $code (instantiate $code
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "get-stdout" (func $get-stdout))
      (export "write" (func $write))
      (export "drop" (func $drop))))))

  (func (export "print") (param "text" string) (result (result))
    (canon lift (core func $code "print")
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (func (export "open-and-close")
    (canon lift (core func $code "open-and-close")))
  (func (export "untouched") (result u32)
    (canon lift (core func $code "untouched"))))
