// Package grammar reads blocks of a Caddyfile by the words that they know.
package grammar

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Word is a word that a block knows.
type Word struct {
	Name string
	// Many allows the word more than once in a block.
	Many bool
	// Read reads the rest of the line, and the block that may follow it.
	Read func(d *caddyfile.Dispenser) error
}

// Block reads the block that follows, if there is one. It returns an error for an unknown word and
// for one that is repeated. The error calls the block by the name in where.
func Block(d *caddyfile.Dispenser, where string, words []Word) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		i := slices.IndexFunc(words, func(w Word) bool { return w.Name == name })
		if i < 0 {
			return d.Errf("unknown word %q in %s; known words are: %s", name, where, names(words))
		}
		if seen[name] && !words[i].Many {
			return d.Errf("%s is repeated in %s", name, where)
		}
		seen[name] = true
		if err := words[i].Read(d); err != nil {
			return err
		}
	}
	return nil
}

func names(words []Word) string {
	list := make([]string, 0, len(words))
	for _, w := range words {
		list = append(list, w.Name)
	}
	return strings.Join(list, ", ")
}

// Text returns a word that takes exactly one argument.
func Text(name string, into *string) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		if !d.AllArgs(into) {
			return d.Errf("%s takes one value", name)
		}
		return nil
	}}
}

// Joined returns a word that takes one or two arguments and joins them with a space.
func Joined(name string, into *string) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) == 0 || len(args) > 2 {
			return d.Errf("%s takes one or two values", name)
		}
		*into = strings.Join(args, " ")
		return nil
	}}
}

// Whole returns a word that takes one whole number above zero.
func Whole(name string, into *int) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one whole number", name)
		}
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 {
			return d.Errf("%s: must be a whole number above zero, got %q", name, arg)
		}
		*into = n
		return nil
	}}
}

// Flag returns a word that takes no argument and sets into.
func Flag(name string, into *bool) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		if d.NextArg() {
			return d.Errf("%s takes no argument, got %q", name, d.Val())
		}
		*into = true
		return nil
	}}
}

// Duration returns a word that takes one duration above zero.
func Duration(name string, into *caddy.Duration) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one duration, such as 10s", name)
		}
		return ParseDuration(d, name, arg, into)
	}}
}

// ParseDuration sets into to the duration that arg holds. Errors call it by name.
func ParseDuration(d *caddyfile.Dispenser, name, arg string, into *caddy.Duration) error {
	dur, err := caddy.ParseDuration(arg)
	if err != nil || dur <= 0 {
		return d.Errf("%s: must be a duration above zero, got %q; write one such as 10s", name, arg)
	}
	*into = caddy.Duration(dur)
	return nil
}

// Size returns a word that takes one size in bytes, such as 64KiB.
func Size(name string, into *int64) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one size, such as 64KiB", name)
		}
		bytes, err := humanize.ParseBytes(arg)
		if err != nil || bytes == 0 || bytes > 1<<40 {
			return d.Errf("%s: must be a size above zero, got %q; write one such as 64KiB", name, arg)
		}
		*into = int64(bytes)
		return nil
	}}
}

// Number returns a word that takes one finite number.
func Number(name string, into **float64) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one number", name)
		}
		n, err := strconv.ParseFloat(arg, 64)
		if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
			return d.Errf("%s: must be a number, got %q", name, arg)
		}
		*into = &n
		return nil
	}}
}
