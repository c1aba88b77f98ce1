package page

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// decode returns the page in UTF-8, which it is in unless it declares another
// encoding: in a byte order mark, in contentType, its Content-Type header, or
// in a meta element among its first 1024 bytes.
func decode(source []byte, contentType string) ([]byte, error) {
	declared, name, certain := charset.DetermineEncoding(source, contentType)
	// For want of any declaration it is said to be in windows-1252.
	isGuess := !certain && name == "windows-1252" && !bytes.Contains(bytes.ToLower(source[:min(len(source), 1024)]), []byte("charset"))
	if isGuess || name == "utf-8" {
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
