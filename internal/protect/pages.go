package protect

import (
	"bytes"
	"hash/maphash"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/leadwire/caddy-telecrm/page"
)

const (
	// mostPages bounds how many pages are remembered.
	mostPages = 256
	// mostForms and mostFormText bound what is remembered of one: its forms, and the bytes of their
	// addresses. A page with more is read each time.
	mostForms, mostFormText = 64, 8 << 10
)

// knownPages remembers what was read of pages, because most are the same for each visitor. What it
// remembers belongs to the bytes of a page and not to its address: a page that was changed is another
// one, even if its size and its time are the same. It is safe for concurrent use.
type knownPages struct {
	seed maphash.Seed

	mu    sync.Mutex
	known map[pageKey]*knownPage
}

// pageKey identifies a page, or its beginning.
type pageKey struct {
	hash    uint64
	size    int
	header  uint64 // of what the header says about the page's text and styles
	isWhole bool
}

func newKnownPages() *knownPages {
	return &knownPages{seed: maphash.MakeSeed(), known: make(map[pageKey]*knownPage)}
}

// find returns what is known of a page that is sent with the header.
func (k *knownPages) find(source []byte, header pageHeader, isWhole bool) *knownPage {
	key := pageKey{
		hash: maphash.Bytes(k.seed, source), size: len(source), header: maphash.Comparable(k.seed, header), isWhole: isWhole,
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	found := k.known[key]
	if found == nil {
		if len(k.known) >= mostPages {
			clear(k.known)
		}
		found = &knownPage{header: header, isWhole: isWhole}
		k.known[key] = found
	}
	return found
}

// pageHeader is what a header says about a page's text and styles.
type pageHeader struct{ contentType, policies string }

func headerOf(header http.Header) pageHeader {
	policies := slices.Concat(header.Values("Content-Security-Policy"), header.Values("Content-Security-Policy-Report-Only"))
	return pageHeader{header.Get("Content-Type"), strings.Join(policies, "\n")}
}

// newForms starts to look for the forms of the page.
func (h pageHeader) newForms(insert func(page.PostForm) string) *page.Forms {
	return page.NewForms(h.contentType, strings.Split(h.policies, "\n"), insert)
}

// knownPage is what is known of a page. Its methods take the bytes of the page, which it does not
// keep.
type knownPage struct {
	header  pageHeader
	isWhole bool

	mu      sync.Mutex
	rebuilt *page.Rebuilt
	forms   []formAt
	trap    string
	isRead  bool
}

// formAt is a form that posts, and the end of its start tag.
type formAt struct {
	page.PostForm
	at int
}

// scripts tells which forms of the page a script rebuilds.
func (k *knownPage) scripts(source []byte) *page.Rebuilt {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rebuilt == nil {
		k.rebuilt = page.ReadRebuilt(source, k.isWhole)
	}
	return k.rebuilt
}

// formsIn returns the forms of a whole page in their order, and the first of the names that the page
// does not contain, or the very first.
func (k *knownPage) formsIn(source []byte, names []string) (forms []formAt, trap string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.isRead {
		return k.forms, k.trap
	}
	text := 0
	var reader *page.Forms
	reader = k.header.newForms(func(f page.PostForm) string {
		forms = append(forms, formAt{f, reader.At()})
		text += len(f.Action) + len(f.Base) + len(f.Lang)
		return ""
	})
	reader.Next(source)
	trap = freeName(source, names)
	if len(forms) <= mostForms && text <= mostFormText {
		k.forms, k.trap, k.isRead = forms, trap, true
	}
	return forms, trap
}

// freeName returns the first of the names that the page does not contain, or the very first.
func freeName(source []byte, names []string) string {
	for _, name := range names {
		if !bytes.Contains(source, []byte(name)) {
			return name
		}
	}
	return names[0]
}
