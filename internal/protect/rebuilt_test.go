package protect

import (
	"fmt"
	"strings"
	"testing"
)

// A form that a script rebuilds is left alone on a page of any size, however it is sent, and the
// operator hears what was seen. The page's other visitors get the same.
func TestServedPageThatAScriptRebuilds(t *testing.T) {
	const rebuilt = `<div id="root"><form action="/enquire" method="post"><input name="phone"/></form></div>%s<script src="/client.js"></script>`
	plain := strings.NewReplacer(`id="root"`, `class="x"`, "/>", ">").Replace(rebuilt)
	for _, size := range []int{0, maxBuffered - 1000, maxBuffered, 3 * maxBuffered} {
		for source, isLeftAlone := range map[string]bool{
			fmt.Sprintf(rebuilt, strings.Repeat("x", size)): true,
			fmt.Sprintf(plain, strings.Repeat("x", size)):   false,
		} {
			h := newProtected(t, "", "/enquire")
			var seen []string
			h.noteRebuilt = func(sign string) { seen = append(seen, sign) }
			for range 2 {
				w, err := h.get(getRequest("http://example.com/"), writing(asHTML, source))
				if err != nil || (w.Body.String() == source) != isLeftAlone {
					t.Errorf("%d bytes: error %v, left alone %t, want %t", len(source), err, w.Body.String() == source, isLeftAlone)
				}
			}
			if (len(seen) == 2) != isLeftAlone || isLeftAlone && !strings.Contains(seen[0], "React") {
				t.Errorf("%d bytes: seen %q", len(source), seen)
			}
		}
	}
}
