package page

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Trap is an input that bots fill in and people never notice: it is not on the screen, not
// reachable with the Tab key, and hidden from screen readers. If a browser shows it anyway, its
// label says what to do.
type Trap struct {
	Name     string // of the input
	Label    string // such as "Leave this empty"
	Language string // of the label, as in the lang attribute
	// Styled means that the page's policies allow a style attribute, as in [PostForm]. The trap is
	// then placed off the screen, which bots that look for hidden inputs are less likely to notice.
	Styled bool
	Hidden Pair // a hidden input beside the trap
}

// trapStyle places the trap above the page, where nobody can scroll to.
const trapStyle = ` style="display:block;position:absolute;top:-9999px;left:0;width:1px;height:1px;overflow:hidden"`

// HTML returns the trap and the hidden input in ASCII, which nearly every encoding of a page
// contains.
//
// The trap is "hidden" even if it is styled. A policy that forbids the style may be added to the
// page later, for example by Caddy's deferred header directive, and must not make the trap visible.
//
// The data- attributes make password managers skip it.
func (t Trap) HTML() string {
	style := ""
	if t.Styled {
		style = trapStyle
	}
	return `<div hidden aria-hidden="true"` + style + `><label lang="` + escape(t.Language) + `">` + inASCII(escape(t.Label)) +
		` <input type="text" name="` + escape(t.Name) + `" value="" tabindex="-1" autocomplete="off"` +
		` data-1p-ignore data-bwignore data-form-type="other" data-lpignore="true"></label></div>` +
		`<input type="hidden" name="` + escape(t.Hidden.Name) + `" value="` + escape(t.Hidden.Value) + `">`
}

// inASCII writes non-ASCII characters as references.
func inASCII(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "&#%d;", r)
		}
	}
	return b.String()
}
