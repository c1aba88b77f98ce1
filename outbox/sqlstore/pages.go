package sqlstore

import (
	"encoding/binary"
	"math"
	"os"
	"slices"

	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// This file reads the rows of a damaged database, like the .recover command of SQLite's shell. It
// reads each page as if it were the leaf of a table, even if no other page refers to it.
// https://www.sqlite.org/fileformat2.html

// leftovers are a database file and its log. Both may be damaged in any way.
type leftovers struct {
	file   *os.File
	size   int64
	log    *os.File // nil if there is none
	frames []frame
	newest map[uint32]int // index of the newest frame of each page
}

// openLeftovers opens a database while nothing writes to it.
func openLeftovers(path string) (*leftovers, error) {
	file, err := os.Open(path)
	if err != nil {
		if file, err = os.Open(os.DevNull); err != nil {
			return nil, err
		}
	}
	l := &leftovers{file: file}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		l.size = info.Size()
	}
	if l.log, err = os.Open(path + suffixWAL); err == nil {
		l.use(readFrames(l.log))
	}
	return l, nil
}

// use uses these frames of the log.
func (l *leftovers) use(frames []frame) {
	l.frames, l.newest = frames, make(map[uint32]int)
	for i, f := range frames {
		l.newest[f.page] = i
	}
}

func (l *leftovers) close() {
	_ = l.file.Close()
	if l.log != nil {
		_ = l.log.Close()
	}
}

// records calls f with each record of a table, with the row number as the first value. It reads the
// newest version of a page first. It reads older versions only if the newest is damaged, and then
// passes false as newest.
func (l *leftovers) records(f func(values []any, newest bool) error) error {
	const (
		whole = iota + 1
		broken
	)
	seen := make(map[uint32]int)
	for _, frame := range slices.Backward(l.frames) {
		if seen[frame.page] == whole {
			continue
		}
		if err := l.leaf(readAt(l.log, frame.offset), frame.page, func(v []any) error { return f(v, seen[frame.page] == 0) }); err != nil {
			return err
		}
		if seen[frame.page] = broken; frame.intact {
			seen[frame.page] = whole
		}
	}
	for page := uint32(1); int64(page-1)*pageSize < l.size && page < math.MaxUint32; page++ {
		if seen[page] == whole {
			continue
		}
		if err := l.leaf(readAt(l.file, int64(page-1)*pageSize), page, func(v []any) error { return f(v, seen[page] == 0) }); err != nil {
			return err
		}
	}
	return nil
}

// readAt reads a page. Bytes that cannot be read are zero.
func readAt(file *os.File, offset int64) []byte {
	page := make([]byte, pageSize)
	_, _ = file.ReadAt(page, offset)
	return page
}

// page returns the newest version of a page, or nil if there is none.
func (l *leftovers) page(number uint32) []byte {
	if i, ok := l.newest[number]; ok {
		return readAt(l.log, l.frames[i].offset)
	}
	if at := (int64(number) - 1) * pageSize; at >= 0 && at < l.size {
		return readAt(l.file, at)
	}
	return nil
}

// bytes returns how many bytes the database has at most.
func (l *leftovers) bytes() int64 { return l.size + int64(len(l.frames))*pageSize }

// leaf calls f with what would be the records of a page if it were the leaf of a table. The type in
// its header may be damaged, so it does not decide. The checksums of the records do.
func (l *leftovers) leaf(page []byte, number uint32, f func([]any) error) error {
	header := page
	if number == 1 {
		header = page[100:]
	}
	cells := int(binary.BigEndian.Uint16(header[3:]))
	for i := 0; i < cells && 8+2*i+2 <= len(header); i++ {
		at := int(binary.BigEndian.Uint16(header[8+2*i:]))
		if at >= len(page) {
			continue
		}
		if values := l.cell(page[at:]); values != nil {
			if err := f(values); err != nil {
				return err
			}
		}
	}
	return nil
}

// cell returns the record at the start of b, or nil if there is none.
func (l *leftovers) cell(b []byte) []any {
	size, b := varint(b)
	number, b := varint(b)
	if size <= 0 || size > min(2*record.MaxPayloadSize, l.bytes()) {
		return nil
	}
	// The rest of a long record is on overflow pages. Each of them begins with the number of the
	// next.
	const most, least = pageSize - 35, (pageSize-12)*32/255 - 23
	local := size
	if size > most {
		if local = least + (size-least)%(pageSize-4); local > most {
			local = least
		}
	}
	if int64(len(b)) < local || size > local && int64(len(b)) < local+4 {
		return nil
	}
	payload := append([]byte(nil), b[:local]...)
	for rest := b[local:]; int64(len(payload)) < size; {
		next := l.page(binary.BigEndian.Uint32(rest))
		if next == nil {
			return nil // noise is not followed for long
		}
		payload = append(payload, next[4:][:min(pageSize-4, size-int64(len(payload)))]...)
		rest = next
	}
	return decodeRecord(payload, number)
}

// decodeRecord decodes a record. It returns nil if the record is invalid.
func decodeRecord(payload []byte, number int64) (values []any) {
	size, types := varint(payload)
	at := int64(len(payload) - len(types))
	if size < at || size > int64(len(payload)) {
		return nil
	}
	types, content := payload[at:size], payload[size:]
	for len(types) > 0 && len(values) < 64 {
		var t int64
		t, types = varint(types)
		value, width := decodeValue(t, content)
		if width < 0 {
			return nil
		}
		values, content = append(values, value), content[width:]
	}
	if len(values) > 0 && values[0] == nil {
		values[0] = number // SQLite does not store the row number in its column
	}
	return values
}

// decodeValue returns a value and its length. The length is -1 if the value is invalid.
func decodeValue(t int64, b []byte) (value any, width int64) {
	widths := [...]int64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0, -1, -1}
	switch {
	case t < 0:
		return nil, -1
	case t < 12:
		width = widths[t]
	default:
		width = (t - 12) / 2
	}
	if width < 0 || width > int64(len(b)) {
		return nil, -1
	}
	b = b[:width]
	switch {
	case t == 0:
		return nil, 0
	case t == 8 || t == 9:
		return t - 8, 0
	case t < 7:
		n := int64(int8(b[0])) //nolint:gosec // the first byte has the sign
		for _, c := range b[1:] {
			n = n<<8 | int64(c)
		}
		return n, width
	case t < 12:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), width
	case t%2 == 0:
		return b, width
	}
	return string(b), width
}

// varint decodes an integer in SQLite's variable-length format.
func varint(b []byte) (int64, []byte) {
	var n uint64
	for i, c := range b {
		if i == 8 {
			return int64(n<<8 | uint64(c)), b[9:] //nolint:gosec // it is signed
		}
		n = n<<7 | uint64(c&0x7f)
		if c < 0x80 {
			return int64(n), b[i+1:] //nolint:gosec // it is signed
		}
	}
	return 0, nil
}
