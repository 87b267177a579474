// A tour of what Go's standard library asks of WASI, as a command: `tour FOLDER [STATUS]`.
// What it says is the same at any time and place. It does without `fmt`, which is a megabyte.
package main

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func say(words ...string) {
	os.Stdout.WriteString(strings.Join(words, " ") + "\n")
}

// reason is an error without the path in it; "ok" is none.
func reason(err error) string {
	var inPath *fs.PathError
	var inLink *os.LinkError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &inPath):
		return inPath.Err.Error()
	case errors.As(err, &inLink):
		return inLink.Err.Error()
	}
	return err.Error()
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(text)
	return err
}

func files(folder string) {
	path, inner := filepath.Join(folder, "tour.txt"), filepath.Join(folder, "tour")
	say("write:", reason(os.WriteFile(path, []byte("from Go\n"), 0o666)))
	say("append:", reason(appendTo(path, "and more\n")))
	text, err := os.ReadFile(path)
	say("read:", reason(err), strconv.Quote(string(text)))
	when := time.Unix(1000, 5000)
	say("times:", reason(os.Chtimes(path, when, when)))
	if status, err := os.Stat(path); err == nil {
		say("stat:", strconv.FormatInt(status.Size(), 10), strconv.FormatInt(status.ModTime().UnixNano(), 10))
	}
	say("mkdir:", reason(os.Mkdir(inner, 0o777)))
	say("rename:", reason(os.Rename(path, filepath.Join(inner, "moved.txt"))))
	say("symlink:", reason(os.Symlink("moved.txt", filepath.Join(inner, "pointer"))))
	target, err := os.Readlink(filepath.Join(inner, "pointer"))
	say("readlink:", reason(err), target)
	entries, err := os.ReadDir(inner)
	say("list:", reason(err))
	for _, entry := range entries {
		say("  ", entry.Name(), entry.Type().String())
	}
	_, err = os.ReadFile(filepath.Join(folder, "none"))
	say("none:", reason(err))
	_, err = os.ReadFile(folder + "/../../etc/passwd")
	say("outside:", strconv.FormatBool(err != nil))
	say("remove:", reason(os.Remove(inner)))
	say("remove all:", reason(os.RemoveAll(inner)))
}

func main() {
	say("arguments:", strings.Join(os.Args[1:], ", "))
	say("LANGUAGE:", os.Getenv("LANGUAGE"), strconv.Itoa(len(os.Environ())))
	if len(os.Args) > 1 {
		files(os.Args[1])
	}
	start := time.Now()
	time.Sleep(5 * time.Millisecond)
	say("slept:", strconv.FormatBool(time.Since(start) >= 5*time.Millisecond), strconv.FormatBool(start.Year() > 2020))
	say("random:", strconv.FormatBool(rand.Uint64() != rand.Uint64()))
	input, err := io.ReadAll(os.Stdin)
	say("input:", reason(err), strconv.Itoa(len(input)))
	os.Stderr.WriteString("to stderr\n")
	if len(os.Args) > 2 {
		status, _ := strconv.Atoi(os.Args[2])
		os.Exit(status)
	}
}
