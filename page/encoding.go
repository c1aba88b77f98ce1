package page

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
)

// decode returns the page in UTF-8. The page is in UTF-8 unless it declares another encoding in a
// byte order mark, in contentType, its Content-Type header, or in a meta element in its first 1024
// bytes.
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

// Charset returns the label of the encoding in which the page's forms are sent if not in UTF-8: a
// form's accept-charset, or else the page's encoding. It returns "" if neither is declared. The
// page's own declaration takes precedence over a Content-Type header with UTF-8, because servers
// send that for any page.
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

// determine returns the page's encoding. Without a declaration it is windows-1252.
func determine(source []byte, contentType string) (e encoding.Encoding, name string, isDeclared bool) {
	e, name, certain := charset.DetermineEncoding(source, contentType)
	isGuess := !certain && name == "windows-1252" && !bytes.Contains(bytes.ToLower(source[:min(len(source), 1024)]), []byte("charset"))
	return e, name, !isGuess
}
