package bolt

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// The buckets, their keys and values. Numbers are big-endian, so that keys
// sort by them.
//
//	entries  account (4) state (1) id (16)  -> record
//	due      account (4) time (8) id (16)   -> nothing; of those that wait and nobody took
//	taken    id (16)                        -> account (4); of those taken
//	settled  state (1) time (8) id (16)     -> account (4); of those delivered or parked
//	meta     "version"                      -> schema version (4), its CRC-32C (4)
//	         "journal"                      -> lineage: outbox (16), generation (8); their CRC-32C (4)
//	         "a" name                       -> account's number (4)
//	         "c" account (4) state (1)      -> how many entries (8)
//	         "times"                        -> when the clock was seen (8), since when it is steady (8)
//	         "secret"                       -> the key of the hashes (32)
//	known    hash (16)                      -> time (8) lead id; the ids to recall
//	aged     time (8) hash (16)             -> nothing; by when they were remembered
//
// A hash is the beginning of an HMAC-SHA-256 of account and identifier.
//
// An entry's account and state stand before its id, so that a list of any of
// them is a walk over what it asks for and needs no index of its own, which
// each append would have to write: at a million entries an index costs three
// or four more pages a commit. The price is that finding an entry by its id
// alone means looking under each account and state; there are few.
var (
	bucketEntries = []byte("entries")
	bucketDue     = []byte("due")
	bucketTaken   = []byte("taken")
	bucketSettled = []byte("settled")
	bucketMeta    = []byte("meta")
	bucketKnown   = []byte("known")
	bucketAged    = []byte("aged")

	keyVersion = []byte("version")
	keySecret  = []byte("secret")
	keyLineage = []byte("journal")
	keyClock   = []byte("times")

	// allBuckets are in the order of their numbers in the journal, and of
	// [tables.all].
	allBuckets = [][]byte{bucketEntries, bucketDue, bucketTaken, bucketSettled, bucketMeta, bucketKnown, bucketAged}
)

// bucketsOf returns the buckets of a version of the schema.
func bucketsOf(version uint32) [][]byte {
	if version < 2 {
		return allBuckets[:len(allBuckets)-2]
	}
	return allBuckets
}

const (
	// schemaVersion 2 is the first with a journal and with known and aged.
	// Version 1 knows nothing of them, and must not open such a file.
	schemaVersion = 2

	prefixAccount = "a"
	prefixCount   = "c"

	entryKeySize   = 4 + 1 + 16
	entryShardSize = 4 + 1 // the part of an entry's key before its id
	dueKeySize     = 4 + 8 + 16
	settledKeySize = 1 + 8 + 16
)

// The states' numbers in the file.
const (
	numberWaiting byte = iota + 1
	numberDelivered
	numberParked
)

// stateNames are the states by their number, less one.
var stateNames = [...]outbox.State{outbox.Waiting, outbox.Delivered, outbox.Parked}

// stateNumber returns the state's number; 0 if there is no such state.
func stateNumber(s outbox.State) byte {
	return byte(slices.Index(stateNames[:], s) + 1) //nolint:gosec // a handful
}

// shard is an account and a state: where an entry is kept and counted.
type shard struct {
	account uint32
	state   byte
}

func (s shard) prefix() []byte {
	return append(number32(s.account), s.state)
}

func (s shard) entryKey(id uuid.UUID) []byte {
	key := make([]byte, 0, entryKeySize)
	key = binary.BigEndian.AppendUint32(key, s.account)
	key = append(key, s.state)
	return append(key, id[:]...)
}

func (s shard) countKey() []byte {
	return append([]byte(prefixCount), s.prefix()...)
}

func dueKey(account uint32, at time.Time, id uuid.UUID) []byte {
	key := make([]byte, 0, dueKeySize)
	key = binary.BigEndian.AppendUint32(key, account)
	key = binary.BigEndian.AppendUint64(key, keyTime(at))
	return append(key, id[:]...)
}

// dueOfKey takes a due key apart.
func dueOfKey(key []byte) (account uint32, at uint64, id uuid.UUID, ok bool) {
	if len(key) != dueKeySize {
		return 0, 0, uuid.Nil, false
	}
	return binary.BigEndian.Uint32(key), binary.BigEndian.Uint64(key[4:]), uuid.UUID(key[12:]), true
}

func settledKey(state byte, at time.Time, id uuid.UUID) []byte {
	key := make([]byte, 0, settledKeySize)
	key = append(key, state)
	key = binary.BigEndian.AppendUint64(key, keyTime(at))
	return append(key, id[:]...)
}

// keyTime is the time in nanoseconds since 1970; what lies outside of what
// they can express, until 2262, is taken for the nearest that does not.
func keyTime(t time.Time) uint64 {
	switch {
	case t.Unix() < 0:
		return 0
	case t.Unix() >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	}
	return uint64(t.UnixNano()) //nolint:gosec // not negative, as was just seen
}

func timeOfKey(n uint64) time.Time {
	return time.Unix(0, int64(min(n, math.MaxInt64))).UTC() //nolint:gosec // it fits
}

func number32(n uint32) []byte {
	return binary.BigEndian.AppendUint32(make([]byte, 0, 8), n)
}

// shardOf returns the shard of that state in the account that an index names.
func shardOf(account []byte, state byte) shard {
	return shard{account: binary.BigEndian.Uint32(account), state: state}
}

// versionValue guards the version with a checksum: a flipped bit must not make
// a later version of it, which would be refused.
func versionValue(version uint32) []byte {
	b := number32(version)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func versionOf(value []byte) (uint32, bool) {
	if len(value) != 8 {
		return 0, false
	}
	version := binary.BigEndian.Uint32(value)
	return version, bytes.Equal(value, versionValue(version))
}
