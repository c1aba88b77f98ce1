package grammar

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// otherQuotes are quotation marks that Caddy does not take for quotes.
const otherQuotes = "'‘’‚“”„«»‹›"

// checkQuotes returns an error if an argument of the line begins with a quotation mark that does
// not quote.
func checkQuotes(d *caddyfile.Dispenser) error {
	word, args := d.Val(), 0
	for ; d.NextArg(); args++ {
		mark, _ := utf8.DecodeRuneInString(d.Val())
		if !d.Token().Quoted() && strings.ContainsRune(otherQuotes, mark) {
			return d.Errf("%s: %q begins with a mark that does not quote; use straight double quotes around a value with spaces", word, d.Val())
		}
	}
	for range args {
		d.Prev()
	}
	return nil
}

// separator returns the name of the punctuation in an unquoted label that was meant to separate
// labels, or "". A comma between digits is part of a number.
func separator(label string) string {
	if strings.ContainsRune(label, ';') {
		return "a semicolon"
	}
	if strings.ContainsRune(label, '|') {
		return "a bar"
	}
	for before, after, found := strings.Cut(label, ","); found; before, after, found = strings.Cut(after, ",") {
		last, _ := utf8.DecodeLastRuneInString(before)
		next, _ := utf8.DecodeRuneInString(after)
		if !unicode.IsDigit(last) || !unicode.IsDigit(next) {
			return "a comma"
		}
	}
	return ""
}

// CheckPath returns an error if the matcher that follows is a path that never matches.
func CheckPath(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return nil
	}
	if path := d.Val(); strings.HasPrefix(path, "/") && strings.ContainsAny(path, "?#") {
		return d.Errf("the path %q never matches; leave out the query and the fragment, from ? or # on", path)
	}
	d.Prev()
	return nil
}
