package answer

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

// htmx answers have status 200, because htmx 2 ignores the others, whatever they contain. The
// headers overrule what the page says about its own answers: it knows where to put a fragment, but
// not a whole page (https://htmx.org/reference/#response_headers).

// everything selects the top elements of a page's body. htmx 2 selects within the body and htmx 4
// around it, and `unset` is not known to all versions.
const everything = ":not(* *)"

// swapBody tells htmx to put the body of an answer in the place of the current one, without a new
// entry in the history. It returns the status.
func swapBody(header http.Header, body []byte) int {
	header.Set("Hx-Retarget", "body")
	header.Set("Hx-Reswap", "innerHTML show:none")
	header.Set("Hx-Push-Url", "false")
	// Text outside of all elements is lost when something is selected.
	if bytes.Contains(body, []byte("hx-select")) {
		header.Set("Hx-Reselect", everything)
	}
	return http.StatusOK
}

// swapBuiltin tells htmx to show the built-in page. If that does not have the form, it comes before
// the current page, which keeps what the visitor typed.
func swapBuiltin(header http.Header, hasForm bool) int {
	status := swapBody(header, nil)
	header.Set("Hx-Reselect", everything)
	if !hasForm {
		header.Set("Hx-Reswap", "afterbegin show:none")
	}
	return status
}

// redirectHTMX tells htmx to load the target. If the browser followed a redirect instead, htmx
// would put the target's page into the current one, or not be allowed to read it.
func redirectHTMX(w http.ResponseWriter, target string) error {
	w.Header().Set("Hx-Redirect", escapeNonASCII(target))
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// escapeNonASCII percent-encodes bytes that scripts would misread in a header.
func escapeNonASCII(target string) string {
	var escaped strings.Builder
	for _, b := range []byte(target) {
		if b < 0x80 {
			escaped.WriteByte(b)
		} else {
			fmt.Fprintf(&escaped, "%%%02X", b)
		}
	}
	return escaped.String()
}
