package page

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
)

// decode returns the page in UTF-8, which it is in unless it declares another
// encoding: in a byte order mark, in contentType, its Content-Type header, or
// in a meta element among its first 1024 bytes.
func decode(source []byte, contentType string) ([]byte, error) {
	declared, name, isDeclared := determine(source, contentType)
	if name == "utf-8" || !isDeclared {
		if !utf8.Valid(source) {
			return nil, ErrEncoding
		}
		return source, nil
	}
	decoded, err := declared.NewDecoder().Bytes(source)
	if err != nil || bytes.ContainsRune(decoded, utf8.RuneError) {
		return nil, ErrEncoding
	}
	return decoded, nil
}

// Charset returns the label of the encoding that forms of the page are in that
// are not sent in UTF-8: the one that a form accepts, or else that of the page;
// empty if neither is declared. A Content-Type header of UTF-8, which servers
// send of any page, counts for less than what the page itself says.
func Charset(source []byte, contentType string) string {
	if text, err := decode(source, contentType); err == nil {
		if found, err := readOutline(text); err == nil {
			for _, f := range found.forms {
				accepted, _ := f.tag.get("accept-charset")
				if labels := strings.Fields(accepted); len(labels) > 0 {
					return labels[0]
				}
			}
		}
	}
	_, name, isDeclared := determine(source, contentType)
	if name == "utf-8" {
		_, name, isDeclared = determine(source, "text/html")
	}
	if !isDeclared {
		return ""
	}
	return name
}

// determine is the page's encoding, which for want of any declaration is
// windows-1252.
func determine(source []byte, contentType string) (e encoding.Encoding, name string, isDeclared bool) {
	e, name, certain := charset.DetermineEncoding(source, contentType)
	isGuess := !certain && name == "windows-1252" && !bytes.Contains(bytes.ToLower(source[:min(len(source), 1024)]), []byte("charset"))
	return e, name, !isGuess
}
