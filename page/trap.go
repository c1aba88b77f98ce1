package page

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Trap is something to put into a form that machines fill in and people never
// see: neither on the screen, nor with the Tab key, nor through a screen
// reader. Should a browser show it after all, its label says what to do.
type Trap struct {
	Name     string // of the input
	Label    string // such as "Leave this empty"
	Language string // the label's, as in the lang attribute
	// Styled tells that the page's policies allow a style attribute, as in
	// [PostForm]. The trap is then off the screen, which a machine that looks
	// for what is hidden is less likely to see through.
	Styled bool
	Hidden Pair // a hidden input to go with it
}

// trapStyle has the trap above the page, where nobody can scroll to.
const trapStyle = ` style="display:block;position:absolute;top:-9999px;left:0;width:1px;height:1px;overflow:hidden"`

// HTML is the trap and the hidden input, in ASCII, which stays what it is in
// a page of nearly any encoding.
//
// The trap is "hidden" even where it is styled: a policy that forbids the
// style may be put on the page after we have seen it, by Caddy's deferred
// header directive for one, and the trap must not be seen then.
//
// The attributes that begin with data- have password managers pass over it.
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

// inASCII writes all other characters as references.
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
