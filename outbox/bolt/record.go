package bolt

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// A record is one entry as it lies in the file: a frame of
//
//	magic (4 bytes) | version (1) | length of the body (4) | CRC-32C (4) | body
//
// so that it can be recognised and verified on its own, wherever it is found
// in a damaged file. The checksum covers version, length and body. The body is
// a sequence of fields, each a tag (1 byte), a length (uvarint) and a value;
// zero values are left out. Fields with unknown tags, from a later version of
// this package, are kept as they are.
type record struct {
	id       uuid.UUID
	revision uint64 // counts the record's changes
	taken    bool
	entry    outbox.Entry // its ID is set when decoded, and not stored
	unknown  []byte
}

// The frame. Its magic is no valid UTF-8, so that no text a visitor sends can
// look like a frame.
const (
	frameMagic      = "\xf5\xfeld"
	frameVersion    = 1
	frameHeaderSize = len(frameMagic) + 1 + 4 + 4
	maxBodySize     = maxPayloadSize + 1<<20 // more than Append accepts
)

// The fields' tags. They are never given another meaning.
const (
	tagID byte = iota + 1
	tagRevision
	tagTaken
	tagState
	tagAccount
	tagForm
	tagIdentifier
	tagPayload
	tagCreatedAt
	tagDueAt
	tagAttempts
	tagBegunAt
	tagAmbiguousSince
	tagFailingSince
	tagReason
	tagLeadID
	tagSettledAt
	tagStep

	tagsEnd // above all of them
)

var (
	errFrame   = errors.New("not a whole record")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// clone returns a copy that can be changed without changing r.
func (r *record) clone() *record {
	c := *r
	return &c
}

// encode returns the frame.
func (r *record) encode() []byte {
	e := &r.entry
	size := frameHeaderSize + 256 + len(e.Account) + len(e.Form) + len(e.Identifier) +
		len(e.Payload) + len(e.Step) + len(e.Reason) + len(e.LeadID) + len(r.unknown)
	b := make([]byte, frameHeaderSize, size)
	b = appendField(b, tagID, r.id[:])
	b = appendNumber(b, tagRevision, r.revision)
	if r.taken {
		b = appendNumber(b, tagTaken, 1)
	}
	b = appendNumber(b, tagState, uint64(stateNumber(e.State)))
	b = appendText(b, tagAccount, e.Account)
	b = appendText(b, tagForm, e.Form)
	b = appendText(b, tagIdentifier, e.Identifier)
	b = appendField(b, tagPayload, e.Payload)
	b = appendTime(b, tagCreatedAt, e.CreatedAt)
	b = appendTime(b, tagDueAt, e.DueAt)
	b = appendNumber(b, tagAttempts, uint64(max(e.Attempts, 0)))
	b = appendTime(b, tagBegunAt, e.BegunAt)
	b = appendTime(b, tagAmbiguousSince, e.AmbiguousSince)
	b = appendTime(b, tagFailingSince, e.FailingSince)
	b = appendText(b, tagReason, e.Reason)
	b = appendText(b, tagLeadID, e.LeadID)
	b = appendTime(b, tagSettledAt, e.SettledAt)
	b = appendText(b, tagStep, e.Step)
	b = append(b, r.unknown...)
	return seal(b)
}

// seal fills in the header of a frame whose body is complete.
func seal(b []byte) []byte {
	body := b[frameHeaderSize:]
	copy(b, frameMagic)
	b[4] = frameVersion
	binary.BigEndian.PutUint32(b[5:], uint32(len(body))) //nolint:gosec // Append refuses what is longer
	binary.BigEndian.PutUint32(b[9:], frameChecksum(b[4:9], body))
	return b
}

func frameChecksum(header, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(header, castagnoli), castagnoli, body)
}

func appendField(b []byte, tag byte, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	b = binary.AppendUvarint(append(b, tag), uint64(len(value)))
	return append(b, value...)
}

func appendText(b []byte, tag byte, value string) []byte {
	if value == "" {
		return b
	}
	b = binary.AppendUvarint(append(b, tag), uint64(len(value)))
	return append(b, value...)
}

func appendNumber(b []byte, tag byte, value uint64) []byte {
	if value == 0 {
		return b
	}
	var buf [binary.MaxVarintLen64]byte
	return appendField(b, tag, buf[:binary.PutUvarint(buf[:], value)])
}

func appendTime(b []byte, tag byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	var buf [12]byte
	binary.BigEndian.PutUint64(buf[:], uint64(t.Unix()))        //nolint:gosec // the sign comes back when read
	binary.BigEndian.PutUint32(buf[8:], uint32(t.Nanosecond())) //nolint:gosec // less than a billion
	return appendField(b, tag, buf[:])
}

// frameBody returns the body of the frame that b begins with, and the length
// of the frame.
func frameBody(b []byte) ([]byte, int, error) {
	if len(b) < frameHeaderSize || string(b[:4]) != frameMagic || b[4] != frameVersion {
		return nil, 0, errFrame
	}
	size := int(binary.BigEndian.Uint32(b[5:]))
	if size > maxBodySize || size > len(b)-frameHeaderSize {
		return nil, 0, errFrame
	}
	body := b[frameHeaderSize : frameHeaderSize+size]
	if binary.BigEndian.Uint32(b[9:]) != frameChecksum(b[4:9], body) {
		return nil, 0, errFrame
	}
	return body, frameHeaderSize + size, nil
}

// decodeRecord decodes the frame that b consists of. The record keeps no
// reference to b.
func decodeRecord(b []byte) (*record, error) {
	body, size, err := frameBody(b)
	if err != nil || size != len(b) {
		return nil, errFrame
	}
	r := new(record)
	for len(body) > 0 {
		tag := body[0]
		length, n := binary.Uvarint(body[1:])
		if n <= 0 || length > maxBodySize {
			return nil, errFrame
		}
		end := 1 + n + int(length) //nolint:gosec // it was just bounded
		if end > len(body) {
			return nil, errFrame
		}
		whole := body[:end]
		if !r.setField(tag, whole[1+n:]) {
			return nil, errFrame
		}
		if tag == 0 || tag >= tagsEnd {
			r.unknown = append(r.unknown, whole...)
		}
		body = body[len(whole):]
	}
	if r.id == uuid.Nil || r.entry.State == "" {
		return nil, errFrame
	}
	r.entry.ID = r.id.String()
	return r, nil
}

// setField sets the field with that tag; false if the value cannot be one.
func (r *record) setField(tag byte, value []byte) bool {
	e := &r.entry
	switch tag {
	case tagID:
		return copy(r.id[:], value) == len(value) && len(value) == len(r.id)
	case tagRevision:
		return setNumber(&r.revision, value)
	case tagTaken:
		r.taken = true
	case tagState:
		var number uint64
		if !setNumber(&number, value) || number == 0 || number > uint64(len(stateNames)) {
			return false
		}
		e.State = stateNames[number-1]
	case tagAccount:
		e.Account = string(value)
	case tagForm:
		e.Form = string(value)
	case tagIdentifier:
		e.Identifier = string(value)
	case tagPayload:
		e.Payload = append([]byte(nil), value...)
	case tagAttempts:
		var number uint64
		if !setNumber(&number, value) || number > 1<<31 {
			return false
		}
		e.Attempts = int(number)
	case tagStep:
		e.Step = string(value)
	case tagReason:
		e.Reason = string(value)
	case tagLeadID:
		e.LeadID = string(value)
	case tagCreatedAt:
		return setTime(&e.CreatedAt, value)
	case tagDueAt:
		return setTime(&e.DueAt, value)
	case tagBegunAt:
		return setTime(&e.BegunAt, value)
	case tagAmbiguousSince:
		return setTime(&e.AmbiguousSince, value)
	case tagFailingSince:
		return setTime(&e.FailingSince, value)
	case tagSettledAt:
		return setTime(&e.SettledAt, value)
	}
	return true
}

func setNumber(to *uint64, value []byte) bool {
	number, n := binary.Uvarint(value)
	*to = number
	return n > 0 && n == len(value)
}

func setTime(to *time.Time, value []byte) bool {
	if len(value) != 12 {
		return false
	}
	nanos := binary.BigEndian.Uint32(value[8:])
	*to = time.Unix(int64(binary.BigEndian.Uint64(value)), int64(nanos)).UTC() //nolint:gosec // as written
	return nanos < 1e9
}
