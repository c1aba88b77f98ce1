package bolt

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"slices"
)

// pageFile reads bbolt's file format without bbolt: it takes nothing for
// granted, maps no memory, and goes round what is damaged. Numbers are in the
// machine's own byte order, and their sizes in bytes these:
//
//	page    id (8) flags (2) count (2) overflow (4)
//	meta    magic (4) version (4) page size (4) flags (4) root (8) sequence (8) freelist (8) pages (8) transaction (8) FNV-64a (8)
//	branch  per child: position (4) key size (4) page (8)
//	leaf    per key:   flags (4) position (4) key size (4) value size (4)
//	bucket  root page (8) sequence (8), and if the root is 0 its only page
type pageFile struct {
	src      io.ReaderAt
	size     int64
	pageSize int64
	damage   int // pages and keys that could not be read
	seen     map[uint64]bool
}

const (
	metaMagic   = 0xED0CDAED
	metaVersion = 2

	pageHeaderSize = 16
	elementSize    = 16
	metaSize       = 64
	bucketHeader   = 16

	flagBranch     = 0x01
	flagLeaf       = 0x02
	flagBucketLeaf = 0x01

	// maxPageBytes bounds a page with what overflows of it.
	maxPageBytes = 1 << 28
)

var native = binary.NativeEndian

// meta is one of the two pages that say where everything else is.
type meta struct {
	version  uint32
	pageSize int64
	root     uint64
	pages    uint64 // all pages are below this one
	txid     uint64
}

// readMeta returns the meta page that counts, which is the later of the two;
// false if both are damaged.
func readMeta(src io.ReaderAt, size int64) (meta, bool) {
	m, _, ok := readMetas(src, size)
	return m, ok
}

// readMetas returns the meta page that counts, and whether the other is whole
// too.
func readMetas(src io.ReaderAt, size int64) (best meta, both, ok bool) {
	if first, ok := readMetaAt(src, 0); ok {
		second, both := readMetaAt(src, first.pageSize)
		if both && second.txid > first.txid {
			return second, true, true
		}
		return first, both, true
	}
	for pageSize := int64(1024); pageSize <= 1<<24 && pageSize < size; pageSize *= 2 {
		if second, ok := readMetaAt(src, pageSize); ok && second.pageSize == pageSize {
			return second, false, true
		}
	}
	return meta{}, false, false
}

func readMetaAt(src io.ReaderAt, offset int64) (meta, bool) {
	var buf [pageHeaderSize + metaSize]byte
	if _, err := src.ReadAt(buf[:], offset); err != nil {
		return meta{}, false
	}
	b := buf[pageHeaderSize:]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56])
	m := meta{
		version:  native.Uint32(b[4:]),
		pageSize: int64(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]),
		pages:    native.Uint64(b[40:]),
		txid:     native.Uint64(b[48:]),
	}
	plausible := m.pageSize >= 512 && m.pageSize <= 1<<24 && m.pages < 1<<40
	return m, plausible && native.Uint32(b) == metaMagic && native.Uint64(b[56:]) == sum.Sum64()
}

// bytes is how long a file must be that holds all pages.
func (m meta) bytes() int64 { return int64(m.pages) * m.pageSize } //nolint:gosec // plausible, see readMetaAt

// element is a key of a leaf page.
type element struct {
	key, value []byte
	bucket     bool
	offset     int64 // where in the file the value is
}

// whole reports whether every page can be reached and read, and no key or
// value lies outside of its page: bbolt takes that for granted, and what it
// makes of a page where it is not so cannot always be recovered from.
func (f *pageFile) whole(root uint64) bool {
	f.damage, f.seen = 0, make(map[uint64]bool)
	var buckets []element
	f.walk(root, func(e element) {
		if e.bucket {
			buckets = append(buckets, e)
		}
	})
	for _, bucket := range buckets {
		f.eachOf(bucket, func(element) {})
	}
	return f.damage == 0
}

// bucket returns the value of the named bucket's key in the root bucket.
func (f *pageFile) bucket(root uint64, name []byte) (found element, ok bool) {
	f.seen = make(map[uint64]bool)
	f.walk(root, func(e element) {
		if e.bucket && string(e.key) == string(name) {
			found, ok = e, true
		}
	})
	return found, ok
}

// eachOf visits the keys of a bucket that can be reached.
func (f *pageFile) eachOf(bucket element, visit func(element)) {
	if len(bucket.value) < bucketHeader {
		f.damage++
		return
	}
	if root := native.Uint64(bucket.value); root != 0 {
		f.walk(root, visit)
		return
	}
	f.page(bucket.value[bucketHeader:], bucket.offset+bucketHeader, visit)
}

// walk visits the keys at and below a page. A page is walked once, so that a
// damaged one cannot send it round in circles.
func (f *pageFile) walk(id uint64, visit func(element)) {
	pending := []uint64{id}
	for len(pending) > 0 {
		id := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		page, ok := f.read(id)
		if !ok || f.seen[id] {
			f.damage++
			continue
		}
		f.seen[id] = true
		children := f.page(page, f.offset(id), visit)
		slices.Reverse(children) // the leftmost is next
		pending = append(pending, children...)
	}
}

func (f *pageFile) offset(id uint64) int64 { return int64(id) * f.pageSize } //nolint:gosec // read has bounded it

// read returns the page and what overflows of it, or what is left of it.
func (f *pageFile) read(id uint64) ([]byte, bool) {
	if id < 2 || id >= uint64(f.size/f.pageSize) { //nolint:gosec // neither is negative
		return nil, false
	}
	page := make([]byte, f.pageSize)
	if _, err := f.src.ReadAt(page, f.offset(id)); err != nil || native.Uint64(page) != id {
		return nil, false
	}
	overflow := int64(native.Uint32(page[12:]))
	if f.offset(id)+(overflow+1)*f.pageSize > f.size {
		f.damage++
	}
	length := min((overflow+1)*f.pageSize, f.size-f.offset(id))
	if overflow == 0 || length > maxPageBytes {
		return page, true
	}
	whole := make([]byte, length)
	if _, err := f.src.ReadAt(whole, f.offset(id)); err != nil {
		return page, true
	}
	return whole, true
}

// page visits the keys of a leaf page, which lies at offset, or returns the
// children of a branch page.
func (f *pageFile) page(b []byte, offset int64, visit func(element)) (children []uint64) {
	if len(b) < pageHeaderSize {
		f.damage++
		return nil
	}
	flags, count := native.Uint16(b[8:]), int(native.Uint16(b[10:]))
	if (flags != flagLeaf && flags != flagBranch) || pageHeaderSize+count*elementSize > len(b) {
		f.damage++
		return nil
	}
	for i := range count {
		at := pageHeaderSize + i*elementSize
		if flags == flagBranch {
			key := uint64(at) + uint64(native.Uint32(b[at:])) //nolint:gosec // not negative
			if key+uint64(native.Uint32(b[at+4:])) > uint64(len(b)) {
				f.damage++
			}
			children = append(children, native.Uint64(b[at+8:]))
			continue
		}
		e, ok := leafElement(b, at)
		if !ok {
			f.damage++
			continue
		}
		e.offset += offset
		visit(e)
	}
	return children
}

func leafElement(b []byte, at int) (element, bool) {
	key := uint64(at) + uint64(native.Uint32(b[at+4:])) //nolint:gosec // not negative
	value := key + uint64(native.Uint32(b[at+8:]))
	end := value + uint64(native.Uint32(b[at+12:]))
	if end > uint64(len(b)) {
		return element{}, false
	}
	return element{
		key:    b[key:value],
		value:  b[value:end],
		bucket: native.Uint32(b[at:])&flagBucketLeaf != 0,
		offset: int64(value), //nolint:gosec // less than a page
	}, true
}
