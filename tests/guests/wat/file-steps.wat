;; A guest that does what it is told with wasi:filesystem: a list of steps in one call, each one function of the host.
;;
;; A step is a number, arguments, and two texts. An argument that begins with 0xfeed stands for 32 bits of what an
;; earlier step gave: the step in its lower half, how far into its result above. What a step gives is 104 bytes as the
;; canonical ABI lays its result out, or what `peek` copied. See tests/file_steps.py, which has the numbers as well.
(component
  (import "wasi:io/error@0.2.6" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $io-error))
  (import "wasi:io/streams@0.2.6" (instance $streams
    (alias outer 1 $io-error (type $e))
    (export "error" (type $error (eq $e)))
    (export "input-stream" (type $input (sub resource)))
    (export "output-stream" (type $output (sub resource)))
    (type $s (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $s)))
    (export "[method]input-stream.read" (func
      (param "self" (borrow $input)) (param "len" u64) (result (result (list u8) (error $stream-error)))))
    (export "[method]output-stream.check-write" (func
      (param "self" (borrow $output)) (result (result u64 (error $stream-error)))))
    (export "[method]output-stream.write" (func
      (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))
    (export "[method]output-stream.blocking-flush" (func
      (param "self" (borrow $output)) (result (result (error $stream-error)))))
    (export "[method]input-stream.blocking-read" (func
      (param "self" (borrow $input)) (param "len" u64) (result (result (list u8) (error $stream-error)))))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))
  ))
  (alias export $streams "input-stream" (type $input-stream))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:clocks/wall-clock@0.2.6" (instance $clock
    (type $d (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type (eq $d)))
  ))
  (alias export $clock "datetime" (type $clock-datetime))
  (import "wasi:filesystem/types@0.2.6" (instance $types
    (alias outer 1 $io-error (type $error))
    (alias outer 1 $input-stream (type $input))
    (alias outer 1 $output-stream (type $output))
    (alias outer 1 $clock-datetime (type $t))
    (export "datetime" (type $datetime (eq $t)))
    (export "descriptor" (type $descriptor (sub resource)))
    (export "directory-entry-stream" (type $entries (sub resource)))
    (type $c (enum
      "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist" "file-too-large"
      "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop" "too-many-links"
      "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory" "insufficient-space"
      "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted"
      "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error-code (eq $c)))
    (type $y (enum "unknown" "block-device" "character-device" "directory" "fifo" "symbolic-link" "regular-file" "socket"))
    (export "descriptor-type" (type $descriptor-type (eq $y)))
    (type $f (flags
      "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $descriptor-flags (eq $f)))
    (type $p (flags "symlink-follow"))
    (export "path-flags" (type $path-flags (eq $p)))
    (type $o (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $open-flags (eq $o)))
    (type $s (record
      (field "type" $descriptor-type) (field "link-count" u64) (field "size" u64)
      (field "data-access-timestamp" (option $datetime)) (field "data-modification-timestamp" (option $datetime))
      (field "status-change-timestamp" (option $datetime))))
    (export "descriptor-stat" (type $descriptor-stat (eq $s)))
    (type $n (variant (case "no-change") (case "now") (case "timestamp" $datetime)))
    (export "new-timestamp" (type $new-timestamp (eq $n)))
    (type $a (enum "normal" "sequential" "random" "will-need" "dont-need" "no-reuse"))
    (export "advice" (type $advice (eq $a)))
    (type $h (record (field "lower" u64) (field "upper" u64)))
    (export "metadata-hash-value" (type $metadata-hash-value (eq $h)))
    (type $i (record (field "type" $descriptor-type) (field "name" string)))
    (export "directory-entry" (type $directory-entry (eq $i)))
    (export "[method]descriptor.read-via-stream" (func
      (param "self" (borrow $descriptor)) (param "offset" u64)
      (result (result (own $input) (error $error-code)))))
    (export "[method]descriptor.write-via-stream" (func
      (param "self" (borrow $descriptor)) (param "offset" u64)
      (result (result (own $output) (error $error-code)))))
    (export "[method]descriptor.append-via-stream" (func
      (param "self" (borrow $descriptor))
      (result (result (own $output) (error $error-code)))))
    (export "[method]descriptor.advise" (func
      (param "self" (borrow $descriptor)) (param "offset" u64) (param "length" u64) (param "advice" $advice)
      (result (result (error $error-code)))))
    (export "[method]descriptor.sync-data" (func
      (param "self" (borrow $descriptor))
      (result (result (error $error-code)))))
    (export "[method]descriptor.get-flags" (func
      (param "self" (borrow $descriptor))
      (result (result $descriptor-flags (error $error-code)))))
    (export "[method]descriptor.get-type" (func
      (param "self" (borrow $descriptor))
      (result (result $descriptor-type (error $error-code)))))
    (export "[method]descriptor.set-size" (func
      (param "self" (borrow $descriptor)) (param "size" u64)
      (result (result (error $error-code)))))
    (export "[method]descriptor.set-times" (func
      (param "self" (borrow $descriptor)) (param "data-access-timestamp" $new-timestamp) (param "data-modification-timestamp" $new-timestamp)
      (result (result (error $error-code)))))
    (export "[method]descriptor.read" (func
      (param "self" (borrow $descriptor)) (param "length" u64) (param "offset" u64)
      (result (result (tuple (list u8) bool) (error $error-code)))))
    (export "[method]descriptor.write" (func
      (param "self" (borrow $descriptor)) (param "buffer" (list u8)) (param "offset" u64)
      (result (result u64 (error $error-code)))))
    (export "[method]descriptor.read-directory" (func
      (param "self" (borrow $descriptor))
      (result (result (own $entries) (error $error-code)))))
    (export "[method]descriptor.sync" (func
      (param "self" (borrow $descriptor))
      (result (result (error $error-code)))))
    (export "[method]descriptor.create-directory-at" (func
      (param "self" (borrow $descriptor)) (param "path" string)
      (result (result (error $error-code)))))
    (export "[method]descriptor.stat" (func
      (param "self" (borrow $descriptor))
      (result (result $descriptor-stat (error $error-code)))))
    (export "[method]descriptor.stat-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $path-flags) (param "path" string)
      (result (result $descriptor-stat (error $error-code)))))
    (export "[method]descriptor.set-times-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $path-flags) (param "path" string) (param "data-access-timestamp" $new-timestamp) (param "data-modification-timestamp" $new-timestamp)
      (result (result (error $error-code)))))
    (export "[method]descriptor.link-at" (func
      (param "self" (borrow $descriptor)) (param "old-path-flags" $path-flags) (param "old-path" string) (param "new-descriptor" (borrow $descriptor)) (param "new-path" string)
      (result (result (error $error-code)))))
    (export "[method]descriptor.open-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $path-flags) (param "path" string) (param "open-flags" $open-flags) (param "flags" $descriptor-flags)
      (result (result (own $descriptor) (error $error-code)))))
    (export "[method]descriptor.readlink-at" (func
      (param "self" (borrow $descriptor)) (param "path" string)
      (result (result string (error $error-code)))))
    (export "[method]descriptor.remove-directory-at" (func
      (param "self" (borrow $descriptor)) (param "path" string)
      (result (result (error $error-code)))))
    (export "[method]descriptor.rename-at" (func
      (param "self" (borrow $descriptor)) (param "old-path" string) (param "new-descriptor" (borrow $descriptor)) (param "new-path" string)
      (result (result (error $error-code)))))
    (export "[method]descriptor.symlink-at" (func
      (param "self" (borrow $descriptor)) (param "old-path" string) (param "new-path" string)
      (result (result (error $error-code)))))
    (export "[method]descriptor.unlink-file-at" (func
      (param "self" (borrow $descriptor)) (param "path" string)
      (result (result (error $error-code)))))
    (export "[method]descriptor.is-same-object" (func
      (param "self" (borrow $descriptor)) (param "other" (borrow $descriptor))
      (result bool)))
    (export "[method]descriptor.metadata-hash" (func
      (param "self" (borrow $descriptor))
      (result (result $metadata-hash-value (error $error-code)))))
    (export "[method]descriptor.metadata-hash-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $path-flags) (param "path" string)
      (result (result $metadata-hash-value (error $error-code)))))
    (export "[method]directory-entry-stream.read-directory-entry" (func
      (param "self" (borrow $entries)) (result (result (option $directory-entry) (error $error-code)))))
    (export "filesystem-error-code" (func (param "err" (borrow $error)) (result (option $error-code))))
  ))
  (alias export $types "descriptor" (type $descriptor))
  (alias export $types "directory-entry-stream" (type $entries))
  (import "wasi:filesystem/preopens@0.2.6" (instance $preopens
    (alias outer 1 $descriptor (type $descriptor))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))
  ))

  (core module $memory
    (memory (export "memory") 16)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get $new)))
      (block $enough
        (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (br_if $enough (i32.ne (i32.const -1)
          (memory.grow (i32.add (i32.div_u (local.get $new) (i32.const 65536)) (i32.const 16)))))
        (unreachable))
      (memory.copy (local.get $at) (local.get $old) (local.get $size))
      (local.get $at))
    (func (export "reset") (global.set $next (i32.const 1024)))
    (func (export "mark") (result i32) (global.get $next))
    (func (export "back") (param $to i32) (global.set $next (local.get $to))))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $mem))
  (alias core export $m "realloc" (core func $realloc))

  (core func $c-read-via-stream (canon lower (func $types "[method]descriptor.read-via-stream") (memory $mem) (realloc $realloc)))
  (core func $c-write-via-stream (canon lower (func $types "[method]descriptor.write-via-stream") (memory $mem) (realloc $realloc)))
  (core func $c-append-via-stream (canon lower (func $types "[method]descriptor.append-via-stream") (memory $mem) (realloc $realloc)))
  (core func $c-advise (canon lower (func $types "[method]descriptor.advise") (memory $mem) (realloc $realloc)))
  (core func $c-sync-data (canon lower (func $types "[method]descriptor.sync-data") (memory $mem) (realloc $realloc)))
  (core func $c-get-flags (canon lower (func $types "[method]descriptor.get-flags") (memory $mem) (realloc $realloc)))
  (core func $c-get-type (canon lower (func $types "[method]descriptor.get-type") (memory $mem) (realloc $realloc)))
  (core func $c-set-size (canon lower (func $types "[method]descriptor.set-size") (memory $mem) (realloc $realloc)))
  (core func $c-set-times (canon lower (func $types "[method]descriptor.set-times") (memory $mem) (realloc $realloc)))
  (core func $c-read (canon lower (func $types "[method]descriptor.read") (memory $mem) (realloc $realloc)))
  (core func $c-write (canon lower (func $types "[method]descriptor.write") (memory $mem) (realloc $realloc)))
  (core func $c-read-directory (canon lower (func $types "[method]descriptor.read-directory") (memory $mem) (realloc $realloc)))
  (core func $c-sync (canon lower (func $types "[method]descriptor.sync") (memory $mem) (realloc $realloc)))
  (core func $c-create-directory-at (canon lower (func $types "[method]descriptor.create-directory-at") (memory $mem) (realloc $realloc)))
  (core func $c-stat (canon lower (func $types "[method]descriptor.stat") (memory $mem) (realloc $realloc)))
  (core func $c-stat-at (canon lower (func $types "[method]descriptor.stat-at") (memory $mem) (realloc $realloc)))
  (core func $c-set-times-at (canon lower (func $types "[method]descriptor.set-times-at") (memory $mem) (realloc $realloc)))
  (core func $c-link-at (canon lower (func $types "[method]descriptor.link-at") (memory $mem) (realloc $realloc)))
  (core func $c-open-at (canon lower (func $types "[method]descriptor.open-at") (memory $mem) (realloc $realloc)))
  (core func $c-readlink-at (canon lower (func $types "[method]descriptor.readlink-at") (memory $mem) (realloc $realloc)))
  (core func $c-remove-directory-at (canon lower (func $types "[method]descriptor.remove-directory-at") (memory $mem) (realloc $realloc)))
  (core func $c-rename-at (canon lower (func $types "[method]descriptor.rename-at") (memory $mem) (realloc $realloc)))
  (core func $c-symlink-at (canon lower (func $types "[method]descriptor.symlink-at") (memory $mem) (realloc $realloc)))
  (core func $c-unlink-file-at (canon lower (func $types "[method]descriptor.unlink-file-at") (memory $mem) (realloc $realloc)))
  (core func $c-is-same-object (canon lower (func $types "[method]descriptor.is-same-object") (memory $mem) (realloc $realloc)))
  (core func $c-metadata-hash (canon lower (func $types "[method]descriptor.metadata-hash") (memory $mem) (realloc $realloc)))
  (core func $c-metadata-hash-at (canon lower (func $types "[method]descriptor.metadata-hash-at") (memory $mem) (realloc $realloc)))
  (core func $c-read-directory-entry (canon lower (func $types "[method]directory-entry-stream.read-directory-entry") (memory $mem) (realloc $realloc)))
  (core func $c-filesystem-error-code (canon lower (func $types "filesystem-error-code") (memory $mem) (realloc $realloc)))
  (core func $c-get-directories (canon lower (func $preopens "get-directories") (memory $mem) (realloc $realloc)))
  (core func $c-stream-read (canon lower (func $streams "[method]input-stream.read") (memory $mem) (realloc $realloc)))
  (core func $c-blocking-read (canon lower (func $streams "[method]input-stream.blocking-read") (memory $mem) (realloc $realloc)))
  (core func $c-check-write (canon lower (func $streams "[method]output-stream.check-write") (memory $mem) (realloc $realloc)))
  (core func $c-stream-write (canon lower (func $streams "[method]output-stream.write") (memory $mem) (realloc $realloc)))
  (core func $c-blocking-flush (canon lower (func $streams "[method]output-stream.blocking-flush") (memory $mem) (realloc $realloc)))
  (core func $c-blocking-write-and-flush (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem) (realloc $realloc)))
  (core func $c-drop-descriptor (canon resource.drop $descriptor))
  (core func $c-drop-entries (canon resource.drop $entries))
  (core func $c-drop-input (canon resource.drop $input-stream))
  (core func $c-drop-output (canon resource.drop $output-stream))
  (core func $c-drop-error (canon resource.drop $io-error))

  (core module $main
    (import "host" "memory" (memory 16))
    (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "host" "reset" (func $reset))
    (import "host" "mark" (func $mark (result i32)))
    (import "host" "back" (func $back (param i32)))
    (import "host" "read-via-stream" (func $read-via-stream (param i32 i64 i32)))
    (import "host" "write-via-stream" (func $write-via-stream (param i32 i64 i32)))
    (import "host" "append-via-stream" (func $append-via-stream (param i32 i32)))
    (import "host" "advise" (func $advise (param i32 i64 i64 i32 i32)))
    (import "host" "sync-data" (func $sync-data (param i32 i32)))
    (import "host" "get-flags" (func $get-flags (param i32 i32)))
    (import "host" "get-type" (func $get-type (param i32 i32)))
    (import "host" "set-size" (func $set-size (param i32 i64 i32)))
    (import "host" "set-times" (func $set-times (param i32 i32 i64 i32 i32 i64 i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i64 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i64 i32)))
    (import "host" "read-directory" (func $read-directory (param i32 i32)))
    (import "host" "sync" (func $sync (param i32 i32)))
    (import "host" "create-directory-at" (func $create-directory-at (param i32 i32 i32 i32)))
    (import "host" "stat" (func $stat (param i32 i32)))
    (import "host" "stat-at" (func $stat-at (param i32 i32 i32 i32 i32)))
    (import "host" "set-times-at" (func $set-times-at (param i32 i32 i32 i32 i32 i64 i32 i32 i64 i32 i32)))
    (import "host" "link-at" (func $link-at (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "open-at" (func $open-at (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "readlink-at" (func $readlink-at (param i32 i32 i32 i32)))
    (import "host" "remove-directory-at" (func $remove-directory-at (param i32 i32 i32 i32)))
    (import "host" "rename-at" (func $rename-at (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "symlink-at" (func $symlink-at (param i32 i32 i32 i32 i32 i32)))
    (import "host" "unlink-file-at" (func $unlink-file-at (param i32 i32 i32 i32)))
    (import "host" "is-same-object" (func $is-same-object (param i32 i32) (result i32)))
    (import "host" "metadata-hash" (func $metadata-hash (param i32 i32)))
    (import "host" "metadata-hash-at" (func $metadata-hash-at (param i32 i32 i32 i32 i32)))
    (import "host" "read-directory-entry" (func $read-directory-entry (param i32 i32)))
    (import "host" "filesystem-error-code" (func $filesystem-error-code (param i32 i32)))
    (import "host" "get-directories" (func $get-directories (param i32)))
    (import "host" "stream-read" (func $stream-read (param i32 i64 i32)))
    (import "host" "blocking-read" (func $blocking-read (param i32 i64 i32)))
    (import "host" "check-write" (func $check-write (param i32 i32)))
    (import "host" "stream-write" (func $stream-write (param i32 i32 i32 i32)))
    (import "host" "blocking-flush" (func $blocking-flush (param i32 i32)))
    (import "host" "blocking-write-and-flush" (func $blocking-write-and-flush (param i32 i32 i32 i32)))
    (import "host" "drop-descriptor" (func $drop-descriptor (param i32)))
    (import "host" "drop-entries" (func $drop-entries (param i32)))
    (import "host" "drop-input" (func $drop-input (param i32)))
    (import "host" "drop-output" (func $drop-output (param i32)))
    (import "host" "drop-error" (func $drop-error (param i32)))

    (func $argument (param $step i32) (param $which i32) (param $results i32) (result i64)
      (local $value i64)
      (local.set $value (i64.load
        (i32.add (i32.load offset=4 (local.get $step)) (i32.mul (local.get $which) (i32.const 8)))))
      (if (result i64) (i64.ne (i64.shr_u (local.get $value) (i64.const 48)) (i64.const 0xfeed))
        (then (local.get $value))
        (else (i64.load32_u (i32.add
          (i32.load (i32.add (local.get $results) (i32.mul (i32.wrap_i64 (local.get $value)) (i32.const 8))))
          (i32.and (i32.wrap_i64 (i64.shr_u (local.get $value) (i64.const 32))) (i32.const 0xffff)))))))
    (func $handle (param $step i32) (param $which i32) (param $results i32) (result i32)
      (i32.wrap_i64 (call $argument (local.get $step) (local.get $which) (local.get $results))))

    ;; What a step gives is put at $to; where else it is, and how long, is the result of `peek` alone.
    (func $do (param $s i32) (param $r i32) (param $to i32) (result i32)
      (local $number i32)
      (local.set $number (i32.load (local.get $s)))
      (if (i32.eq (local.get $number) (i32.const 0)) (then
        (call $read-via-stream
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $argument (local.get $s) (i32.const 1) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 1)) (then
        (call $write-via-stream
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $argument (local.get $s) (i32.const 1) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 2)) (then
        (call $append-via-stream
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 3)) (then
        (call $advise
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $argument (local.get $s) (i32.const 1) (local.get $r))
          (call $argument (local.get $s) (i32.const 2) (local.get $r))
          (call $handle (local.get $s) (i32.const 3) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 4)) (then
        (call $sync-data
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 5)) (then
        (call $get-flags
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 6)) (then
        (call $get-type
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 7)) (then
        (call $set-size
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $argument (local.get $s) (i32.const 1) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 8)) (then
        (call $set-times
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $handle (local.get $s) (i32.const 1) (local.get $r))
          (call $argument (local.get $s) (i32.const 2) (local.get $r))
          (call $handle (local.get $s) (i32.const 3) (local.get $r))
          (call $handle (local.get $s) (i32.const 4) (local.get $r))
          (call $argument (local.get $s) (i32.const 5) (local.get $r))
          (call $handle (local.get $s) (i32.const 6) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 9)) (then
        (call $read
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $argument (local.get $s) (i32.const 1) (local.get $r))
          (call $argument (local.get $s) (i32.const 2) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 10)) (then
        (call $write
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (call $argument (local.get $s) (i32.const 1) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 11)) (then
        (call $read-directory
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 12)) (then
        (call $sync
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 13)) (then
        (call $create-directory-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 14)) (then
        (call $stat
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 15)) (then
        (call $stat-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $handle (local.get $s) (i32.const 1) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 16)) (then
        (call $set-times-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $handle (local.get $s) (i32.const 1) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (call $handle (local.get $s) (i32.const 2) (local.get $r))
          (call $argument (local.get $s) (i32.const 3) (local.get $r))
          (call $handle (local.get $s) (i32.const 4) (local.get $r))
          (call $handle (local.get $s) (i32.const 5) (local.get $r))
          (call $argument (local.get $s) (i32.const 6) (local.get $r))
          (call $handle (local.get $s) (i32.const 7) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 17)) (then
        (call $link-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $handle (local.get $s) (i32.const 1) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (call $handle (local.get $s) (i32.const 2) (local.get $r))
          (i32.load offset=20 (local.get $s)) (i32.load offset=24 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 18)) (then
        (call $open-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $handle (local.get $s) (i32.const 1) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (call $handle (local.get $s) (i32.const 2) (local.get $r))
          (call $handle (local.get $s) (i32.const 3) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 19)) (then
        (call $readlink-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 20)) (then
        (call $remove-directory-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 21)) (then
        (call $rename-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (call $handle (local.get $s) (i32.const 1) (local.get $r))
          (i32.load offset=20 (local.get $s)) (i32.load offset=24 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 22)) (then
        (call $symlink-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (i32.load offset=20 (local.get $s)) (i32.load offset=24 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 23)) (then
        (call $unlink-file-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 24)) (then
        (i32.store (local.get $to) (call $is-same-object
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $handle (local.get $s) (i32.const 1) (local.get $r))))))
      (if (i32.eq (local.get $number) (i32.const 25)) (then
        (call $metadata-hash
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 26)) (then
        (call $metadata-hash-at
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $handle (local.get $s) (i32.const 1) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 27)) (then
        (call $read-directory-entry
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 28)) (then
        (call $filesystem-error-code
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 29)) (then
        (call $get-directories
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 30)) (then
        (call $stream-read
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $argument (local.get $s) (i32.const 1) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 31)) (then
        (call $blocking-read
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (call $argument (local.get $s) (i32.const 1) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 32)) (then
        (call $check-write
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 33)) (then
        (call $stream-write
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 34)) (then
        (call $blocking-flush
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 35)) (then
        (call $blocking-write-and-flush
          (call $handle (local.get $s) (i32.const 0) (local.get $r))
          (i32.load offset=12 (local.get $s)) (i32.load offset=16 (local.get $s))
          (local.get $to))))
      (if (i32.eq (local.get $number) (i32.const 36)) (then
        (call $drop-descriptor
          (call $handle (local.get $s) (i32.const 0) (local.get $r)))))
      (if (i32.eq (local.get $number) (i32.const 37)) (then
        (call $drop-entries
          (call $handle (local.get $s) (i32.const 0) (local.get $r)))))
      (if (i32.eq (local.get $number) (i32.const 38)) (then
        (call $drop-input
          (call $handle (local.get $s) (i32.const 0) (local.get $r)))))
      (if (i32.eq (local.get $number) (i32.const 39)) (then
        (call $drop-output
          (call $handle (local.get $s) (i32.const 0) (local.get $r)))))
      (if (i32.eq (local.get $number) (i32.const 40)) (then
        (call $drop-error
          (call $handle (local.get $s) (i32.const 0) (local.get $r)))))
      (i32.eq (local.get $number) (i32.const 41)))

    (func (export "run") (param $steps i32) (param $count i32) (result i32)
      (local $results i32) (local $answer i32) (local $at i32) (local $end i32) (local $to i32) (local $length i32)
      (local.set $results (call $realloc (i32.const 0) (i32.const 0) (i32.const 8)
        (i32.mul (local.get $count) (i32.const 8))))
      (local.set $answer (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 8)))
      (i32.store (local.get $answer) (local.get $results))
      (i32.store offset=4 (local.get $answer) (local.get $count))
      (local.set $at (local.get $results))
      (local.set $end (i32.add (local.get $at) (i32.mul (local.get $count) (i32.const 8))))
      (block $done (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $end)))
        (local.set $length (i32.const 104))
        (local.set $to (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (local.get $length)))
        (if (call $do (local.get $steps) (local.get $results) (local.get $to)) (then
          (local.set $to (call $handle (local.get $steps) (i32.const 0) (local.get $results)))
          (local.set $length (call $handle (local.get $steps) (i32.const 1) (local.get $results)))))
        (i32.store (local.get $at) (local.get $to))
        (i32.store offset=4 (local.get $at) (local.get $length))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $steps (i32.add (local.get $steps) (i32.const 28)))
        (br $next)))
      (local.get $answer))
    (func (export "done") (param i32) (call $reset))

    ;; Reads, or writes, a file of so many pieces, as a stream; the sum of what was moved.
    (func (export "move") (param $name i32) (param $length i32) (param $writes i32) (param $piece i32) (param $pieces i32)
        (result i64)
      (local $to i32) (local $stream i32) (local $sum i64) (local $mark i32) (local $data i32)
      (local.set $to (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 64)))
      (call $get-directories (local.get $to))
      (call $open-at (i32.load (i32.load (local.get $to))) (i32.const 0) (local.get $name) (local.get $length)
        (select (i32.const 9) (i32.const 0) (local.get $writes))
        (select (i32.const 2) (i32.const 1) (local.get $writes)) (local.get $to))
      (if (i32.load8_u (local.get $to)) (then (return (i64.const -1))))
      (if (local.get $writes)
        (then
          (local.set $data (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (local.get $piece)))
          (call $write-via-stream (i32.load offset=4 (local.get $to)) (i64.const 0) (local.get $to)))
        (else (call $read-via-stream (i32.load offset=4 (local.get $to)) (i64.const 0) (local.get $to))))
      (local.set $stream (i32.load offset=4 (local.get $to)))
      (local.set $mark (call $mark))
      (block $done (loop $next
        (br_if $done (i32.eqz (local.get $pieces)))
        (call $back (local.get $mark))
        (if (local.get $writes)
          (then
            (call $check-write (local.get $stream) (local.get $to))
            (br_if $done (i32.load8_u (local.get $to)))
            (if (i64.lt_u (i64.load offset=8 (local.get $to)) (i64.extend_i32_u (local.get $piece)))
              (then (call $blocking-flush (local.get $stream) (local.get $to)) (br $next)))
            (call $stream-write (local.get $stream) (local.get $data) (local.get $piece) (local.get $to))
            (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $piece)))))
          (else
            (call $blocking-read (local.get $stream) (i64.extend_i32_u (local.get $piece)) (local.get $to))
            (br_if $done (i32.load8_u (local.get $to)))
            (local.set $sum (i64.add (local.get $sum) (i64.load32_u offset=8 (local.get $to))))))
        (local.set $pieces (i32.sub (local.get $pieces) (i32.const 1)))
        (br $next)))
      (if (local.get $writes)
        (then (call $blocking-flush (local.get $stream) (local.get $to)) (call $drop-output (local.get $stream)))
        (else (call $drop-input (local.get $stream))))
      (call $reset)
      (local.get $sum)))
  (core instance $i (instantiate $main (with "host" (instance
    (export "memory" (memory $mem))
    (export "realloc" (func $realloc))
    (export "reset" (func $m "reset"))
    (export "mark" (func $m "mark"))
    (export "back" (func $m "back"))
    (export "read-via-stream" (func $c-read-via-stream))
    (export "write-via-stream" (func $c-write-via-stream))
    (export "append-via-stream" (func $c-append-via-stream))
    (export "advise" (func $c-advise))
    (export "sync-data" (func $c-sync-data))
    (export "get-flags" (func $c-get-flags))
    (export "get-type" (func $c-get-type))
    (export "set-size" (func $c-set-size))
    (export "set-times" (func $c-set-times))
    (export "read" (func $c-read))
    (export "write" (func $c-write))
    (export "read-directory" (func $c-read-directory))
    (export "sync" (func $c-sync))
    (export "create-directory-at" (func $c-create-directory-at))
    (export "stat" (func $c-stat))
    (export "stat-at" (func $c-stat-at))
    (export "set-times-at" (func $c-set-times-at))
    (export "link-at" (func $c-link-at))
    (export "open-at" (func $c-open-at))
    (export "readlink-at" (func $c-readlink-at))
    (export "remove-directory-at" (func $c-remove-directory-at))
    (export "rename-at" (func $c-rename-at))
    (export "symlink-at" (func $c-symlink-at))
    (export "unlink-file-at" (func $c-unlink-file-at))
    (export "is-same-object" (func $c-is-same-object))
    (export "metadata-hash" (func $c-metadata-hash))
    (export "metadata-hash-at" (func $c-metadata-hash-at))
    (export "read-directory-entry" (func $c-read-directory-entry))
    (export "filesystem-error-code" (func $c-filesystem-error-code))
    (export "get-directories" (func $c-get-directories))
    (export "stream-read" (func $c-stream-read))
    (export "blocking-read" (func $c-blocking-read))
    (export "check-write" (func $c-check-write))
    (export "stream-write" (func $c-stream-write))
    (export "blocking-flush" (func $c-blocking-flush))
    (export "blocking-write-and-flush" (func $c-blocking-write-and-flush))
    (export "drop-descriptor" (func $c-drop-descriptor))
    (export "drop-entries" (func $c-drop-entries))
    (export "drop-input" (func $c-drop-input))
    (export "drop-output" (func $c-drop-output))
    (export "drop-error" (func $c-drop-error))
  ))))
  (func (export "run")
    (param "steps" (list (tuple u32 (list u64) (list u8) (list u8)))) (result (list (list u8)))
    (canon lift (core func $i "run") (memory $mem) (realloc $realloc) (post-return (core func $i "done"))))
  (func (export "move")
    (param "name" string) (param "writes" bool) (param "piece" u32) (param "pieces" u32) (result u64)
    (canon lift (core func $i "move") (memory $mem) (realloc $realloc))))
