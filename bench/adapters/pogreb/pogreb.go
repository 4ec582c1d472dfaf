// Pogreb for C: what adapters/pogreb.cc calls, built as a shared library that is loaded in the process that measures, after
// the fork, because a Go runtime does not survive one.
//
// Bytes are C's and are not kept: Pogreb copies what it is given, and what it returns is copied to where the caller wants it.
// All may be called by several threads, but an iterator by one only.
package main

// #include <stdint.h>
import "C"

import (
	"encoding/binary"
	"io"
	"log"
	"runtime/cgo"
	"unsafe"

	"github.com/akrylysov/pogreb"
)

// What calls return: these, or how many bytes there are.
const (
	absent = -1
	failed = -2
)

var lastError string // of the last call that failed, in whichever thread; the caller stops then

func fail(err error) C.int64_t {
	lastError = err.Error()
	return failed
}

func bytesOf(data *C.char, size C.int64_t) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(data)), int(size))
}

func databaseOf(handle C.uintptr_t) *pogreb.DB {
	return cgo.Handle(handle).Value().(*pogreb.DB)
}

type walk struct {
	items      *pogreb.ItemIterator
	key, value []byte // what did not fit
}

//export pogreb_open
func pogreb_open(path *C.char, pathSize C.int64_t) C.uintptr_t {
	pogreb.SetLogger(log.New(io.Discard, "", 0)) // it says each step of a recovery
	// Neither synced nor compacted in the background: only what is asked for is done.
	database, err := pogreb.Open(string(bytesOf(path, pathSize)), nil)
	if err != nil {
		fail(err)
		return 0
	}
	return C.uintptr_t(cgo.NewHandle(database))
}

//export pogreb_close
func pogreb_close(handle C.uintptr_t) C.int64_t {
	err := databaseOf(handle).Close()
	cgo.Handle(handle).Delete()
	if err != nil {
		return fail(err)
	}
	return 0
}

//export pogreb_put
func pogreb_put(handle C.uintptr_t, key *C.char, keySize C.int64_t, value *C.char, valueSize C.int64_t) C.int64_t {
	if err := databaseOf(handle).Put(bytesOf(key, keySize), bytesOf(value, valueSize)); err != nil {
		return fail(err)
	}
	return 0
}

// The size of the value; it is copied if it fits.
//
//export pogreb_get
func pogreb_get(handle C.uintptr_t, key *C.char, keySize C.int64_t, buffer *C.char, bufferSize C.int64_t) C.int64_t {
	value, err := databaseOf(handle).Get(bytesOf(key, keySize))
	if err != nil {
		return fail(err)
	}
	if value == nil {
		return absent
	}
	copy(bytesOf(buffer, bufferSize), value)
	return C.int64_t(len(value))
}

// Erases without looking, as Pogreb does.
//
//export pogreb_erase
func pogreb_erase(handle C.uintptr_t, key *C.char, keySize C.int64_t) C.int64_t {
	if err := databaseOf(handle).Delete(bytesOf(key, keySize)); err != nil {
		return fail(err)
	}
	return 0
}

//export pogreb_walk_begin
func pogreb_walk_begin(handle C.uintptr_t) C.uintptr_t {
	return C.uintptr_t(cgo.NewHandle(&walk{items: databaseOf(handle).Items()}))
}

// As many of the next records as fit: the sizes of key and value in four bytes each, and both; little-endian, as all machines
// are for which Utan is. Returns how many bytes were
// filled: 0 if there are no more.
//
//export pogreb_walk_next
func pogreb_walk_next(handle C.uintptr_t, buffer *C.char, bufferSize C.int64_t) C.int64_t {
	at := cgo.Handle(handle).Value().(*walk)
	out := bytesOf(buffer, bufferSize)
	used := 0
	for {
		if at.key == nil {
			var err error
			at.key, at.value, err = at.items.Next()
			if err == pogreb.ErrIterationDone {
				return C.int64_t(used)
			}
			if err != nil {
				return fail(err)
			}
		}
		if used+8+len(at.key)+len(at.value) > len(out) {
			return C.int64_t(used)
		}
		binary.LittleEndian.PutUint32(out[used:], uint32(len(at.key)))
		binary.LittleEndian.PutUint32(out[used+4:], uint32(len(at.value)))
		used += 8
		used += copy(out[used:], at.key)
		used += copy(out[used:], at.value)
		at.key = nil
	}
}

//export pogreb_walk_end
func pogreb_walk_end(handle C.uintptr_t) {
	cgo.Handle(handle).Delete()
}

// Does nothing: what a call costs.
//
//export pogreb_nothing
func pogreb_nothing(handle C.uintptr_t, key *C.char, keySize C.int64_t) C.int64_t {
	return keySize
}

// Copies why the last call failed, and returns how long that is.
//
//export pogreb_error
func pogreb_error(buffer *C.char, bufferSize C.int64_t) C.int64_t {
	return C.int64_t(copy(bytesOf(buffer, bufferSize), lastError))
}

func main() {}
